/** Text for people. */
@NullMarked
package org.lmdebugger.text;

import org.jspecify.annotations.NullMarked;
