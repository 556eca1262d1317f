/**
 * GPT-2 on a device: its configuration and weights, and its forward pass in terms of the device's operations, with sites
 * where a caller reads or changes rows.
 *
 * <p>Loading maps the weights into memory; on the CPU, F32 weights are used where they lie.
 * {@snippet :
 * try (var device = Devices.open();
 *      var model = Gpt2.load(ModelSource.of("gpt2"), device)) {
 *     …
 * }
 * }
 */
@NullMarked
package org.lmdebugger.model;

import org.jspecify.annotations.NullMarked;
