/**
 * Interventions as values: which neurons, at which positions, and what happens to their coefficients. Everything here has a
 * text form, is immutable, and needs no model.
 */
@NullMarked
package org.lmdebugger.interpret.edit;

import org.jspecify.annotations.NullMarked;
