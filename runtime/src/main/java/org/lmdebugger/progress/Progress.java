package org.lmdebugger.progress;

/**
 * A listener that long work calls after each of its steps, on the thread that does the work. To cancel the work it throws
 * an unchecked exception, which reaches the caller of the work unchanged; partial results are dropped.
 */
@FunctionalInterface
public interface Progress {
    /** A listener that does nothing. */
    Progress NONE = (done, total) -> {};

    /** Reports that {@code done} of {@code total} steps are done. */
    void report(long done, long total);
}
