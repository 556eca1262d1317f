/**
 * Activation patching. A {@link org.lmdebugger.interpret.patch.Pair} is two prompts of equal length and the tokens that
 * should follow each; {@link org.lmdebugger.interpret.patch.Patching} describes which parts of the network take over
 * their activations from one prompt's run to the other's; {@link org.lmdebugger.interpret.patch.Grid} has the results of
 * one pair, {@link org.lmdebugger.interpret.patch.Averages} those of a data set of pairs.
 */
package org.lmdebugger.interpret.patch;
