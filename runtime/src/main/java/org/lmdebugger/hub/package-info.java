/**
 * Places where models are found: a directory, the model that comes with the library, the cache that Hugging Face's
 * tools share, and the Hub itself, from which files are downloaded into that cache.
 *
 * <p>{@link org.lmdebugger.hub.ModelSource} is the entry point; the other classes serve it.
 */
@NullMarked
package org.lmdebugger.hub;

import org.jspecify.annotations.NullMarked;
