package org.lmdebugger.outside;

import java.lang.foreign.MemorySegment;
import org.lmdebugger.bindings.cblas.CBlas;
import org.lmdebugger.device.cpu.AnyDevice;

/** A class that does everything that is forbidden outside the bindings; never run. */
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

    static Object device() {
        return new AnyDevice();
    }
}
