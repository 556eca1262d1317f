package org.lmdebugger.app.store;

import java.util.Optional;
import org.lmdebugger.progress.Progress;

/** A result that is cached in a file, or can be built. */
public interface Cached<T> {
    /** Returns the cached result, if it is there and whole. */
    Optional<T> find();

    /** Returns the cached result, else builds it. */
    T get(Progress progress);
}
