/**
 * Files of models: configurations, weights in safetensors or PyTorch's format, and the fingerprint of a checkpoint.
 * Weights are mapped into memory or copied.
 */
package org.lmdebugger.checkpoint;
