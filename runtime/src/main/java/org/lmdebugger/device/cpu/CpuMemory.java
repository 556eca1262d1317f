package org.lmdebugger.device.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.Memory;
import org.lmdebugger.device.Tensor;

/** Host memory, in an arena of its own or, for weights used in place, in somebody else's. */
final class CpuMemory implements Memory {
    /** A cache line, and the widest vector. */
    static final long ALIGNMENT = 64;

    private final Device device;
    private final MemorySegment segment;
    private final Arena arena; // null: the memory is not ours to free

    private CpuMemory(Device device, MemorySegment segment, Arena arena) {
        this.device = device;
        this.segment = segment;
        this.arena = arena;
    }

    static CpuMemory allocate(Device device, long bytes) {
        var arena = Arena.ofShared();
        try {
            return new CpuMemory(device, arena.allocate(bytes, ALIGNMENT), arena);
        } catch (Throwable failure) {
            arena.close();
            throw failure;
        }
    }

    static CpuMemory inPlace(Device device, MemorySegment segment) {
        return new CpuMemory(device, segment.asReadOnly(), null);
    }

    /** All of the memory that {@code tensor} lies in; its elements start at {@link Tensor#byteOffset()}. */
    static MemorySegment of(Tensor tensor) {
        if (tensor.memory() instanceof CpuMemory memory) {
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
    public void close() {
        if (arena != null && arena.scope().isAlive()) {
            arena.close();
        }
    }
}
