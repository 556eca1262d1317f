/**
 * Continuations of a prompt, decoded with a KV cache under interventions that hold at each position they name.
 */
package org.lmdebugger.interpret.generate;
