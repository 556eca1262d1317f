/**
 * The build-up of a prediction, layer by layer: the most likely tokens before and after each feed-forward layer, the dominant
 * sub-updates, and their effects.
 */
package org.lmdebugger.interpret.trace;
