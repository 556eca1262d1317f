package org.lmdebugger.device;

/**
 * A block of a device's memory. The device that allocated it knows how to reach its bytes; everyone else only passes
 * it on inside a {@link Tensor}. Using it after {@link #close()} throws {@link IllegalStateException}.
 */
public interface Memory extends AutoCloseable {
    Device device();

    long byteSize();

    /** Returns whether this is the memory that {@link Device#load} was given, and not a copy. */
    default boolean isInPlace() {
        return false;
    }

    /** Frees the block; once is enough, more do nothing. */
    @Override
    void close();
}
