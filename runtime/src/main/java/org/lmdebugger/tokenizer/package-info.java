/**
 * Text to token ids and back: byte-level BPE as GPT-2 does it, with a model's own vocabulary.
 *
 * <p>A {@link org.lmdebugger.tokenizer.Tokenizer} is immutable, and any thread may use it; a
 * {@link org.lmdebugger.tokenizer.StreamDecoder} belongs to one text. Encoding takes time n·log n in the length of the
 * text, also where it is one long word.
 * {@snippet :
 * var tokenizer = Tokenizer.read(Path.of("models/gpt2"), 50257);
 * int[] ids = tokenizer.encode("Hello world"); // 15496, 995
 * tokenizer.decode(ids);                       // "Hello world"
 * tokenizer.raw(995);                          // "Ġworld"
 * }
 */
package org.lmdebugger.tokenizer;
