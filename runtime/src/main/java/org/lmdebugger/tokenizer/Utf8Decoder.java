package org.lmdebugger.tokenizer;

/**
 * An incremental decoder of UTF-8. Invalid bytes become U+FFFD, once for each longest part that could begin a
 * character, as in Python and the WHATWG's Encoding Standard, but not in {@code new String}.
 */
final class Utf8Decoder {
    private static final char REPLACEMENT = '\uFFFD';

    private int codePoint; // the bits so far of the incomplete character
    private int missing; // how many of its bytes are still to come
    private int lowest; // the range of the next of them
    private int highest;

    /** Returns the characters that {@code bytes} complete. */
    String append(byte... bytes) {
        var text = new StringBuilder(bytes.length);
        for (byte b : bytes) {
            append(b & 0xff, text);
        }
        return text.toString();
    }

    /** Ends the text, returns U+FFFD if a character is incomplete, and resets the decoder. */
    String finish() {
        boolean incomplete = missing > 0;
        missing = 0;
        return incomplete ? String.valueOf(REPLACEMENT) : "";
    }

    private void append(int b, StringBuilder text) {
        if (missing > 0 && b >= lowest && b <= highest) {
            codePoint = codePoint << 6 | b & 0x3f;
            range(0x80, 0xbf);
            if (--missing == 0) {
                text.appendCodePoint(codePoint);
            }
        } else {
            text.append(finish());
            begin(b, text);
        }
    }

    private void begin(int b, StringBuilder text) {
        if (b < 0x80) {
            text.append((char) b);
        } else if (b >= 0xc2 && b <= 0xdf) {
            missing = 1;
            codePoint = b & 0x1f;
            range(0x80, 0xbf);
        } else if (b >= 0xe0 && b <= 0xef) {
            missing = 2;
            codePoint = b & 0x0f;
            range(b == 0xe0 ? 0xa0 : 0x80, b == 0xed ? 0x9f : 0xbf); // no overlong form, no surrogate
        } else if (b >= 0xf0 && b <= 0xf4) {
            missing = 3;
            codePoint = b & 0x07;
            range(b == 0xf0 ? 0x90 : 0x80, b == 0xf4 ? 0x8f : 0xbf); // nor beyond U+10FFFF
        } else {
            text.append(REPLACEMENT);
        }
    }

    private void range(int lowest, int highest) {
        this.lowest = lowest;
        this.highest = highest;
    }
}
