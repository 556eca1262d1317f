/**
 * Devices, the tensors in their memory, and the operations on them. The model and everything
 * that interprets it are written once against {@link org.lmdebugger.device.Operations}; {@link
 * org.lmdebugger.device.Devices} chooses what carries it out.
 *
 * <p>Devices may be used from any thread; a session belongs to the call that it was given to; tensors are closed by
 * their owners, before their device.
 */
package org.lmdebugger.device;
