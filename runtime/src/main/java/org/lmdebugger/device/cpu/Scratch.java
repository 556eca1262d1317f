package org.lmdebugger.device.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Off-heap working memory of a thread. It grows to the largest requested size and is freed with its thread. */
final class Scratch {
    private static final ThreadLocal<MemorySegment> SEGMENT = ThreadLocal.withInitial(() -> MemorySegment.NULL);

    private Scratch() {
    }

    /** Returns at least {@code bytes} bytes with undefined contents, valid until the thread's next call. */
    static MemorySegment of(long bytes) {
        var segment = SEGMENT.get();
        if (segment.byteSize() < bytes) {
            segment = Arena.ofAuto().allocate(bytes, CpuPool.ALIGNMENT);
            SEGMENT.set(segment);
        }
        return segment;
    }
}
