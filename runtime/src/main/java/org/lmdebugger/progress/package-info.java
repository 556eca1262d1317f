/** The one form in which long work reports its progress and is cancelled. */
@NullMarked
package org.lmdebugger.progress;

import org.jspecify.annotations.NullMarked;
