package org.lmdebugger.tokenizer;

/** An incremental decoder: a character whose bytes span tokens is returned with the last of them. For one thread. */
public final class StreamDecoder {
    private final Tokenizer tokenizer;
    private final Utf8Decoder decoder = new Utf8Decoder();

    StreamDecoder(Tokenizer tokenizer) {
        this.tokenizer = tokenizer;
    }

    /**
     * Returns the text added by a token; all pieces and {@link #finish()} joined are {@link Tokenizer#decode} of all
     * ids.
     */
    public String append(int id) {
        return decoder.append(tokenizer.ordinaryBytes(id));
    }

    /** Ends the text and returns the rest: U+FFFD if a character is incomplete. */
    public String finish() {
        return decoder.finish();
    }
}
