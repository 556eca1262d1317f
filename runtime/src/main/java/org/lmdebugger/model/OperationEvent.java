package org.lmdebugger.model;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.Set;
import java.util.stream.Stream;
import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.Tensor;

/**
 * One operation of a device in a recording by JFR, which sees neither the kernels nor a GPU's work. On a GPU, the duration
 * is that of queueing, or of waiting for results; a graph that is replayed has the operations of its recording alone.
 */
@Name("lmdebugger.Operation")
@Label("Operation")
@Category("LM-Debugger")
@StackTrace(false)
final class OperationEvent extends Event {
    private static final Set<String> PRODUCTS = Set.of("multiply", "multiplyConsuming", "multiplyTransposed",
            "innerProducts");

    @Label("Operation")
    String operation = "";

    @Label("Device")
    String device = "";

    @Label("Rows")
    @Description("Of the first tensor")
    long rows;

    @Label("FLOP")
    @Description("2·M·N·K of a matrix product; 0 of other operations")
    long flop;

    @Label("Bytes")
    @Description("Of all tensors that are read or written")
    @DataAmount
    long bytes;

    /** Returns a session that records each operation, or the session itself if none is to be recorded. */
    static Operations recorded(Operations session, Device device) {
        if (!new OperationEvent().isEnabled()) {
            return session;
        }
        var name = device.name();
        InvocationHandler handler = (_, method, arguments) -> {
            var event = new OperationEvent();
            event.begin();
            try {
                return method.invoke(session, arguments);
            } catch (InvocationTargetException failure) {
                throw failure.getCause();
            } finally {
                event.end();
                if (event.shouldCommit()) {
                    event.describe(method.getName(), arguments == null ? new Object[0] : arguments, name);
                    event.commit();
                }
            }
        };
        return (Operations) Proxy.newProxyInstance(Operations.class.getClassLoader(), new Class<?>[] {Operations.class},
                handler);
    }

    private void describe(String operation, Object[] arguments, String device) {
        var tensors = Stream.of(arguments).filter(Tensor.class::isInstance).map(Tensor.class::cast).toList();
        this.operation = operation;
        this.device = device;
        rows = tensors.isEmpty() ? 0 : tensors.getFirst().rows();
        bytes = tensors.stream().mapToLong(t -> t.rows() * t.columns() * t.type().bytes()).sum();
        if (PRODUCTS.contains(operation)) { // C [M, N] of A [M, K]
            flop = 2 * tensors.get(0).rows() * tensors.get(0).columns() * tensors.get(1).columns();
        }
    }
}
