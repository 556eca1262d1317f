package org.lmdebugger.tokenizer;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;

/** Text of tokens that come one by one: a character whose bytes span tokens comes with its last. For one thread. */
public final class StreamDecoder {
    private final Tokenizer tokenizer;
    private final CharsetDecoder decoder = StandardCharsets.UTF_8.newDecoder()
            .onMalformedInput(CodingErrorAction.REPLACE).onUnmappableCharacter(CodingErrorAction.REPLACE);
    private byte[] incomplete = {};

    StreamDecoder(Tokenizer tokenizer) {
        this.tokenizer = tokenizer;
    }

    /** What the text grows by; all pieces joined are {@link Tokenizer#decode} of all ids. */
    public String append(int id) {
        return decode(tokenizer.bytes(id), false);
    }

    /** What is left when no more tokens come. */
    public String finish() {
        return decode(new byte[0], true);
    }

    private String decode(byte[] more, boolean last) {
        var in = ByteBuffer.allocate(incomplete.length + more.length).put(incomplete).put(more).flip();
        var out = CharBuffer.allocate(in.remaining() + 1);
        decoder.decode(in, out, last);
        incomplete = new byte[in.remaining()];
        in.get(incomplete);
        if (last) {
            decoder.flush(out);
            decoder.reset();
        }
        return out.flip().toString();
    }
}
