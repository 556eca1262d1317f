package org.lmdebugger.device.cuda;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.NavigableMap;
import java.util.SequencedSet;
import java.util.TreeMap;

/**
 * A pool of freed blocks of a GPU's memory, kept for later requests: an allocation by the driver would stop the device
 * each time. A request may be given a block that is a quarter larger, so that prompts of other lengths find blocks, too.
 * Any thread may use it.
 */
final class CudaPool {
    /** Bytes by which a block may be larger than any request, as the driver gives no less. */
    private static final long SMALL = 512;

    /** A block of memory. */
    record Block(long address, long bytes) {
    }

    private final long most;
    private final NavigableMap<Long, Deque<Block>> bySize = new TreeMap<>(); // of each size, the one freed last first
    private final SequencedSet<Block> byAge = new LinkedHashSet<>(); // the one freed first first
    private long bytes;

    /** @param most how many bytes are kept at most */
    CudaPool(long most) {
        this.most = most;
    }

    /** Keeps a block. Returns those that are too much then, which were freed first and are not kept any more. */
    synchronized List<Block> add(Block block) {
        bySize.computeIfAbsent(block.bytes, size -> new ArrayDeque<>()).push(block);
        byAge.add(block);
        bytes += block.bytes;
        var surplus = new ArrayList<Block>();
        while (bytes > most) {
            var oldest = byAge.getFirst();
            bySize.get(oldest.bytes).removeLast();
            surplus.add(removed(oldest));
        }
        return surplus;
    }

    /** Returns a kept block of that size, or a little larger, or null. */
    synchronized Block take(long size) {
        var fitting = bySize.ceilingEntry(size);
        return fitting == null || fitting.getKey() > size + Math.max(size / 4, SMALL) ? null
                : removed(fitting.getValue().pop());
    }

    private Block removed(Block block) {
        if (bySize.get(block.bytes).isEmpty()) {
            bySize.remove(block.bytes);
        }
        byAge.remove(block);
        bytes -= block.bytes;
        return block;
    }

    /** Returns all blocks, which are not kept any more, the one freed first first. */
    synchronized List<Block> takeAll() {
        var all = List.copyOf(byAge);
        bySize.clear();
        byAge.clear();
        bytes = 0;
        return all;
    }
}
