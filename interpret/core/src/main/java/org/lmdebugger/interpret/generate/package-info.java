/**
 * Continuations of a prompt, decoded with a KV cache under interventions that hold at each position they name.
 */
@NullMarked
package org.lmdebugger.interpret.generate;

import org.jspecify.annotations.NullMarked;
