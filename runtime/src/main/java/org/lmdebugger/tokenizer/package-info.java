/**
 * The tokenizer: text to token ids and back, by byte-level BPE as in GPT-2, with a model's own vocabulary.
 *
 * <p>The files of a tokenizer are read as transformers 5 reads them, and texts get the same ids:
 * {@code tokenizer.json} takes precedence over {@code vocab.json} and {@code merges.txt}; {@code
 * tokenizer_config.json}, {@code special_tokens_map.json} and {@code added_tokens.json} list the tokens added to the
 * vocabulary and those put before and after a text. Pairs of tokens are merged by their rank. Numbers and letters are
 * those of the JDK's Unicode.
 *
 * <p>A {@link org.lmdebugger.tokenizer.Tokenizer} is immutable, and any thread may use it; a
 * {@link org.lmdebugger.tokenizer.StreamDecoder} belongs to one text. Encoding takes time O(n·log n) in the length of
 * the text, even if it is one long word.
 * {@snippet :
 * var tokenizer = Tokenizer.read(Path.of("models/gpt2"), 50257);
 * int[] ids = tokenizer.encode("Hello world"); // 15496, 995
 * tokenizer.decode(ids);                       // "Hello world"
 * tokenizer.raw(995);                          // "Ġworld"
 * }
 */
package org.lmdebugger.tokenizer;
