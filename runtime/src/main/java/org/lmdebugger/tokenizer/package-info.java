/** Text to token ids and back, byte-level BPE as GPT-2 does it. Tokenizers are immutable: any thread may use one. */
package org.lmdebugger.tokenizer;
