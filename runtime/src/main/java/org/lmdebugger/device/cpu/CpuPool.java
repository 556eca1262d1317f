package org.lmdebugger.device.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;

/**
 * A pool of freed memory blocks, kept for later requests of about their size: fresh memory has to be zeroed and paged
 * in, and closing a shared arena pauses all threads. The pool is emptied when memory runs out. Any thread may use it.
 */
final class CpuPool {
    /** Alignment in bytes: a cache line, and the widest vector. */
    static final long ALIGNMENT = 64;
    /**
     * Limits on the bytes (those of a sweep's chunk) and blocks that are kept; the block freed longest ago goes first.
     */
    private static final long MOST = 256 << 20;
    private static final int MOST_BLOCKS = 512;

    private final Deque<Block> kept = new ArrayDeque<>(); // the last freed first
    private long bytes;
    private boolean closed;

    /** Returns memory of at least the requested size, with undefined contents. */
    record Block(Arena arena, MemorySegment memory) {
        long byteSize() {
            return memory.byteSize();
        }
    }

    Block allocate(long byteSize) {
        long size = rounded(byteSize);
        var block = take(size);
        if (block != null) {
            return block;
        }
        try {
            return fresh(size);
        } catch (OutOfMemoryError failure) {
            clear();
            return fresh(size);
        }
    }

    private static Block fresh(long size) {
        var arena = Arena.ofShared();
        try {
            return new Block(arena, arena.allocate(size, ALIGNMENT));
        } catch (Throwable failure) {
            arena.close();
            throw failure;
        }
    }

    /** Rounds a size up, by a quarter at most, so that few different sizes occur. */
    private static long rounded(long byteSize) {
        long step = Math.max(ALIGNMENT, Long.highestOneBit(byteSize) / 4);
        return Math.ceilDiv(byteSize, step) * step;
    }

    private synchronized Block take(long size) {
        for (Iterator<Block> each = kept.iterator(); each.hasNext();) {
            var block = each.next();
            if (block.byteSize() == size) {
                each.remove();
                bytes -= size;
                return block;
            }
        }
        return null;
    }

    synchronized void free(Block block) {
        if (closed || block.byteSize() > MOST) {
            block.arena().close();
            return;
        }
        kept.push(block);
        bytes += block.byteSize();
        while (bytes > MOST || kept.size() > MOST_BLOCKS) {
            var oldest = kept.removeLast();
            bytes -= oldest.byteSize();
            oldest.arena().close();
        }
    }

    /** Gives all memory back; blocks freed later are given back at once. */
    synchronized void close() {
        closed = true;
        clear();
    }

    private synchronized void clear() {
        kept.forEach(block -> block.arena().close());
        kept.clear();
        bytes = 0;
    }
}
