/**
 * Clusters of value vectors by cosine distance, as LM-Debugger has them.
 */
package org.lmdebugger.interpret.values.cluster;
