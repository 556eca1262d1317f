/**
 * Path patching of single edges, and circuits. An {@link org.lmdebugger.interpret.edge.Edge} leads from a
 * {@link org.lmdebugger.interpret.edge.Sender}, which writes into the residual stream, to a
 * {@link org.lmdebugger.interpret.edge.Receiver}, which reads it. {@link org.lmdebugger.interpret.edge.EdgePlan} divides the
 * work on one pair of prompts, {@link org.lmdebugger.interpret.edge.EdgeEngine} computes it, and
 * {@link org.lmdebugger.interpret.edge.EdgeEffects} are its results; {@link org.lmdebugger.interpret.edge.EdgeEstimates} choose
 * edges by gradients before that. A {@link org.lmdebugger.interpret.edge.Circuit} is a set
 * of edges that are kept while all others are patched; {@link org.lmdebugger.interpret.edge.CircuitEngine} measures it.
 */
package org.lmdebugger.interpret.edge;
