package org.lmdebugger.device.cuda;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import org.lmdebugger.bindings.CudaMemory;

/**
 * A pool of freed blocks of a GPU's memory, kept for later requests of exactly the same size: an allocation by the
 * driver would stop the device each time. Any thread may use it.
 */
final class CudaPool {
    private final Map<Long, Deque<Long>> addresses = new HashMap<>();

    synchronized void add(long address, long bytes) {
        addresses.computeIfAbsent(bytes, size -> new ArrayDeque<>()).push(address);
    }

    /** Returns the block of that size that was freed last, or 0. */
    synchronized long take(long bytes) {
        var free = addresses.get(bytes);
        return free == null || free.isEmpty() ? 0 : free.pop();
    }

    synchronized void moveTo(CudaPool other) {
        addresses.forEach((bytes, free) -> free.forEach(address -> other.add(address, bytes)));
        addresses.clear();
    }

    /** Gives all blocks back to the driver. */
    synchronized void clear() {
        addresses.values().forEach(free -> free.forEach(CudaMemory::free));
        addresses.clear();
    }
}
