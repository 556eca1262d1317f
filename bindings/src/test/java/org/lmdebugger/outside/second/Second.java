package org.lmdebugger.outside.second;

import org.lmdebugger.outside.first.First;

/** A class whose package depends on that of {@link First}, and the other way round; never run. */
public record Second(First first) {
}
