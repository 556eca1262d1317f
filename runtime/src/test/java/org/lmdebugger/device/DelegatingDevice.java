package org.lmdebugger.device;

import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.function.Function;

/** Passes everything on to another device: a test overrides what it watches, or does itself. */
public class DelegatingDevice implements Device {
    private final Device device;

    public DelegatingDevice(Device device) {
        this.device = device;
    }

    /** What a session would do. */
    protected interface Operation {
        Object run() throws Throwable;
    }

    /** Any method of a session. */
    protected Object operation(String name, Object[] arguments, Operation original) throws Throwable {
        return original.run();
    }

    @Override
    public <T> T call(Function<Operations, T> work) {
        return device.call(session -> work.apply((Operations) Proxy.newProxyInstance(Operations.class.getClassLoader(),
                new Class<?>[] {Operations.class},
                (proxy, method, arguments) -> operation(method.getName(), arguments, () -> {
                    try {
                        return method.invoke(session, arguments);
                    } catch (InvocationTargetException failure) {
                        throw failure.getCause();
                    }
                }))));
    }

    @Override
    public String name() {
        return device.name();
    }

    @Override
    public String description() {
        return device.description();
    }

    @Override
    public String arithmetic() {
        return device.arithmetic();
    }

    @Override
    public Precision precision() {
        return device.precision();
    }

    @Override
    public DeviceTraits traits() {
        return device.traits();
    }

    @Override
    public Tensor allocate(ElementType type, long rows, long columns) {
        return device.allocate(type, rows, columns);
    }

    @Override
    public Tensor load(ElementType type, long rows, long columns, MemorySegment data) {
        return device.load(type, rows, columns, data);
    }

    @Override
    public void awaitCalls() {
        device.awaitCalls();
    }

    @Override
    public void close() {
        device.close();
    }
}
