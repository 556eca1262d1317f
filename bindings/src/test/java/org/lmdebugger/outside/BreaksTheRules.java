package org.lmdebugger.outside;

import java.lang.foreign.MemorySegment;
import org.lmdebugger.bindings.cblas.CBlas;

/** What no class outside the bindings may do; never run. */
public final class BreaksTheRules {
    private BreaksTheRules() {
    }

    static MemorySegment restricted() {
        System.loadLibrary("anything");
        return MemorySegment.NULL.reinterpret(1);
    }

    static void generated() {
        CBlas.openblas_set_num_threads(1);
    }
}
