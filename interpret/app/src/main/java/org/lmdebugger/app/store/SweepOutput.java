package org.lmdebugger.app.store;

import java.util.BitSet;
import org.lmdebugger.interpret.sweep.Effects;

/** The place where a sweep keeps all its effects. One sweep at a time writes there. */
public interface SweepOutput extends AutoCloseable {
    /** Returns the numbers of the plan's chunks that are not kept yet. */
    BitSet missing();

    /** Keeps the effects of one of them. @throws java.io.UncheckedIOException if they cannot be written */
    void add(Effects chunk);

    /** Completes the output, once all chunks are added. @throws java.io.UncheckedIOException if it cannot be written */
    void complete();

    @Override
    void close();
}
