/**
 * Interventions as values: which neurons, at which positions, and what happens to their coefficients. Everything here has a
 * text form, is immutable, and needs no model.
 */
package org.lmdebugger.interpret.edit;
