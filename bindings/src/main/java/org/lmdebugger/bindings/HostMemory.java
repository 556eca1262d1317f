package org.lmdebugger.bindings;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Memory of the host that is lent for a time. */
public final class HostMemory {
    private HostMemory() {
    }

    /**
     * Returns a view of {@code memory} that ends with {@code arena}, and is used by its threads alone. A read-only
     * segment stays read-only. The memory itself must outlive the arena.
     */
    public static MemorySegment lend(MemorySegment memory, Arena arena) {
        return memory.reinterpret(arena, null);
    }
}
