/**
 * Forward passes of a prompt and what they compute: {@link org.lmdebugger.interpret.activations.Activations} keeps a pass on
 * the device, {@link org.lmdebugger.interpret.activations.Lens} reads rows as tokens.
 *
 * <p>{@code Resolver}, {@code CompiledIntervention}, {@code EditTable} and {@code Overflow} serve the packages beside this
 * one. They are not for programs outside the library and may change without notice.
 */
package org.lmdebugger.interpret.activations;
