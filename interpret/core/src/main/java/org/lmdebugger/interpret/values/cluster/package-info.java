/**
 * Clusters of value vectors by cosine distance, as LM-Debugger has them.
 */
@NullMarked
package org.lmdebugger.interpret.values.cluster;

import org.jspecify.annotations.NullMarked;
