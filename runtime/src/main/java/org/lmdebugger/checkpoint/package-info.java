/**
 * Files of models as they are read: configurations, weights in safetensors or PyTorch's format, and what tells one checkpoint
 * from another. Weights are mapped into memory and not copied.
 */
package org.lmdebugger.checkpoint;
