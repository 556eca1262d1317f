/**
 * Files of models: configurations, weights in safetensors or PyTorch's format, and the fingerprint of a checkpoint.
 * Weights are mapped into memory or copied. Vectors are rows of matrices in NumPy's or safetensors files.
 */
package org.lmdebugger.checkpoint;
