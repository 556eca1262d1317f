/**
 * GPT-2 checkpoints: where they are found, how they are read, and their forward pass in terms of a device's operations.
 *
 * <p>Loading maps the weights into memory; on the CPU, F32 weights are used where they lie.
 * {@snippet :
 * try (var device = Devices.open();
 *      var model = Gpt2.load(ModelSource.of("gpt2"), device)) {
 *     …
 * }
 * }
 */
package org.lmdebugger.model;
