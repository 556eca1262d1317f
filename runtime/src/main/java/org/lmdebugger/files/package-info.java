/** Files that several processes write: replaced whole or not at all, one writer at a time. */
@NullMarked
package org.lmdebugger.files;

import org.jspecify.annotations.NullMarked;
