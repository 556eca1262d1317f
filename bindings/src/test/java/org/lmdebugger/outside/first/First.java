package org.lmdebugger.outside.first;

import org.lmdebugger.outside.second.Second;

/** A class whose package depends on that of {@link Second}, and the other way round; never run. */
public record First(Second second) {
}
