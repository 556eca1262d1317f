/**
 * Passes over many texts: what every neuron, head and output does on average, and the texts where a neuron's coefficient
 * is largest and smallest.
 */
@NullMarked
package org.lmdebugger.interpret.corpus;

import org.jspecify.annotations.NullMarked;
