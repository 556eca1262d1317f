package org.lmdebugger.device.cuda;

import java.util.concurrent.atomic.AtomicBoolean;
import org.lmdebugger.device.Memory;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.cuda.CudaPool.Block;

/** A block of a GPU's memory: an address that the JVM cannot follow. */
final class GpuMemory implements Memory {
    private final CudaDevice device;
    private final Block block;
    private final long bytes;
    private final AtomicBoolean closed = new AtomicBoolean();

    /**
     * @param block that it lies in, given back when it is closed
     * @param bytes its size, at most the block's
     */
    GpuMemory(CudaDevice device, Block block, long bytes) {
        this.device = device;
        this.block = block;
        this.bytes = bytes;
        device.lifetimes().opened(this);
    }

    /** Returns the address of {@code tensor}'s first element. */
    static long address(Tensor tensor) {
        if (tensor.memory() instanceof GpuMemory memory) {
            if (memory.closed.get()) {
                throw new IllegalStateException(tensor + ": closed");
            }
            return memory.block.address() + tensor.byteOffset();
        }
        throw new IllegalArgumentException(tensor + " (expected: a tensor in a GPU's memory)");
    }

    @Override
    public CudaDevice device() {
        return device;
    }

    @Override
    public long byteSize() {
        return bytes;
    }

    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            device.lifetimes().closed(this, () -> device.free(block));
        }
    }
}
