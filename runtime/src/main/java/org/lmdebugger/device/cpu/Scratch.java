package org.lmdebugger.device.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Off-heap working memory of a thread, which grows to the largest size asked for and goes with its thread. */
final class Scratch {
    private static final ThreadLocal<MemorySegment> SEGMENT = ThreadLocal.withInitial(() -> MemorySegment.NULL);

    private Scratch() {
    }

    /** At least {@code bytes} bytes of undefined contents, valid until the thread's next call. */
    static MemorySegment of(long bytes) {
        var segment = SEGMENT.get();
        if (segment.byteSize() < bytes) {
            segment = Arena.ofAuto().allocate(bytes, CpuPool.ALIGNMENT);
            SEGMENT.set(segment);
        }
        return segment;
    }
}
