package org.lmdebugger.device;

import java.util.ArrayDeque;
import java.util.Deque;
import org.lmdebugger.bindings.CudaDevices;
import org.lmdebugger.bindings.CudaException;
import org.lmdebugger.bindings.CudaMemory;

/** A GPU's memory, taken but for a rest, as another program may do. In several blocks, as it may not be in one piece. */
public final class FilledMemory implements AutoCloseable {
    private static final long SMALLEST = 2 << 20; // a card's page

    private final Deque<Long> blocks = new ArrayDeque<>();

    /** @param left bytes of {@link TestDevice}'s card that can still be allocated; up to a page more are left */
    public FilledMemory(long left) {
        CudaDevices.on(0, () -> {
            for (long size = 1L << 30; size >= SMALLEST;) {
                if (CudaMemory.available().free() - CudaMemory.RESERVE - size < left || !take(size)) {
                    size /= 2;
                }
            }
            return null;
        });
    }

    private boolean take(long size) {
        try {
            return blocks.add(CudaMemory.allocate(size));
        } catch (CudaException tooLarge) {
            return false;
        }
    }

    @Override
    public void close() {
        CudaDevices.on(0, () -> {
            blocks.forEach(CudaMemory::free);
            return null;
        });
    }
}
