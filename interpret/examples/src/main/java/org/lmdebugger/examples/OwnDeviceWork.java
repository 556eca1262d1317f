package org.lmdebugger.examples;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import org.lmdebugger.device.Devices;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorAccess;
import org.lmdebugger.hub.ModelSource;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.model.Gpt2;

/** Work of a program's own in a tensor's memory: dimensions of the residual stream are erased before the head reads it. */
public final class OwnDeviceWork {
    private OwnDeviceWork() {
    }

    /** @param args a model, a prompt and how many dimensions, the first ones, are erased */
    public static void main(String... args) {
        if (args.length != 3) {
            throw new IllegalArgumentException("usage: OwnDeviceWork MODEL PROMPT N");
        }
        try (var device = Devices.open(); var model = Gpt2.load(ModelSource.of(args[0]), device)) {
            var debugger = new Debugger(model);
            try (var run = debugger.run(args[1]); var x = device.allocate(ElementType.F32, 1, model.config().width())) {
                device.call(session -> {
                    session.copy(x, run.residualPost(model.config().layers() - 1).row(run.length() - 1));
                    erase(session, x.columns(0, Integer.parseInt(args[2])));
                    return null;
                });
                debugger.lens().top(x, 5).tokens(0, model.tokenizer()).forEach(System.out::println);
            }
        }
    }

    /** Sets a row, or a part of one, to 0, in order with the session's operations. */
    static void erase(Operations session, Tensor row) {
        session.access(row, memory -> {
            switch (memory) {
                case TensorAccess.Host host -> host.segment().fill((byte) 0);
                case TensorAccess.Cuda cuda -> setToZero(cuda.address(), Float.BYTES * row.columns(), cuda.stream());
            }
            return null;
        });
    }

    private static void setToZero(long address, long bytes, long stream) {
        var function = SymbolLookup.libraryLookup("libcudart.so.13", Arena.global()).findOrThrow("cudaMemsetAsync");
        var types = FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG);
        try {
            int status = (int) Linker.nativeLinker().downcallHandle(function, types).invokeExact(address, 0, bytes,
                    stream);
            assert status == 0 : status;
        } catch (Throwable failure) {
            throw new AssertionError(failure);
        }
    }
}
