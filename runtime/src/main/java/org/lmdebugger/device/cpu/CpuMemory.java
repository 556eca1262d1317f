package org.lmdebugger.device.cpu;

import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicBoolean;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.Lifetimes;
import org.lmdebugger.device.Memory;
import org.lmdebugger.device.Tensor;

/** Host memory of a tensor: a block of the pool, or, for weights used in place, a mapped file. */
final class CpuMemory implements Memory {
    private static final Runnable NOTHING = () -> {};

    private final Device device;
    private final Lifetimes lifetimes;
    private final MemorySegment segment;
    private final Runnable free;
    private final AtomicBoolean closed = new AtomicBoolean();

    private CpuMemory(Device device, Lifetimes lifetimes, MemorySegment segment, Runnable free) {
        this.device = device;
        this.lifetimes = lifetimes;
        this.segment = segment;
        this.free = free;
        lifetimes.opened(this);
    }

    static CpuMemory allocate(Device device, Lifetimes lifetimes, CpuPool pool, long bytes) {
        var block = pool.allocate(bytes);
        return new CpuMemory(device, lifetimes, block.memory().asSlice(0, bytes), () -> pool.free(block));
    }

    static CpuMemory inPlace(Device device, Lifetimes lifetimes, MemorySegment segment) {
        return new CpuMemory(device, lifetimes, segment.asReadOnly(), NOTHING);
    }

    /** Returns all of the memory that {@code tensor} lies in; its elements start at {@link Tensor#byteOffset()}. */
    static MemorySegment of(Tensor tensor) {
        if (tensor.memory() instanceof CpuMemory memory) {
            if (memory.closed.get()) {
                throw new IllegalStateException(tensor + ": closed");
            }
            return memory.segment;
        }
        throw new IllegalArgumentException(tensor + " (expected: a tensor in the CPU's memory)");
    }

    @Override
    public Device device() {
        return device;
    }

    @Override
    public long byteSize() {
        return segment.byteSize();
    }

    @Override
    public boolean isInPlace() {
        return free == NOTHING;
    }

    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            lifetimes.closed(this, free);
        }
    }
}
