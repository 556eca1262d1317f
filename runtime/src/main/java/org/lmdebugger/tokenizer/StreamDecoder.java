package org.lmdebugger.tokenizer;

/** Text of tokens that come one by one: a character whose bytes span tokens comes with its last. For one thread. */
public final class StreamDecoder {
    private final Tokenizer tokenizer;
    private final Utf8Decoder decoder = new Utf8Decoder();

    StreamDecoder(Tokenizer tokenizer) {
        this.tokenizer = tokenizer;
    }

    /** What the text grows by; all pieces and {@link #finish()} joined are {@link Tokenizer#decode} of all ids. */
    public String append(int id) {
        return decoder.append(tokenizer.ordinaryBytes(id));
    }

    /** What is left when no more tokens come: U+FFFD if a character is incomplete. */
    public String finish() {
        return decoder.finish();
    }
}
