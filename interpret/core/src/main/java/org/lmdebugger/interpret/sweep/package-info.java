/**
 * Very many interventions, each by itself, and their effects on the prediction.
 * {@link org.lmdebugger.interpret.sweep.Sweep} describes the work, {@link org.lmdebugger.interpret.sweep.SweepPlan} divides it,
 * {@link org.lmdebugger.interpret.sweep.Effects} are the results of one part.
 */
package org.lmdebugger.interpret.sweep;
