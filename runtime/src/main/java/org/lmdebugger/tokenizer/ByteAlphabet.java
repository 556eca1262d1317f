package org.lmdebugger.tokenizer;

import java.util.Arrays;

/**
 * GPT-2's spelling of bytes as visible characters: printable Latin-1 stands for itself, the other 68 bytes become
 * U+0100 on, in order. A space becomes {@code Ġ}, a line feed {@code Ċ}.
 */
final class ByteAlphabet {
    private static final char[] CHARACTERS = new char[256];
    private static final short[] BYTES = new short[324];

    static {
        Arrays.fill(BYTES, (short) -1);
        char next = 256;
        for (int b = 0; b < 256; b++) {
            boolean visible = b >= '!' && b <= '~' || b >= '¡' && b <= '¬' || b >= '®';
            CHARACTERS[b] = visible ? (char) b : next++;
            BYTES[CHARACTERS[b]] = (short) b;
        }
    }

    private ByteAlphabet() {
    }

    static String spell(byte... bytes) {
        var characters = new char[bytes.length];
        for (int i = 0; i < bytes.length; i++) {
            characters[i] = CHARACTERS[bytes[i] & 0xff];
        }
        return new String(characters);
    }

    static boolean isByte(String token) {
        return token.length() == 1 && bytes(token) != null;
    }

    /** Returns the bytes that {@code token} spells, or null if one of its characters is not in the alphabet. */
    static byte[] bytes(String token) {
        var bytes = new byte[token.length()];
        for (int i = 0; i < bytes.length; i++) {
            char c = token.charAt(i);
            if (c >= BYTES.length || BYTES[c] < 0) {
                return null;
            }
            bytes[i] = (byte) BYTES[c];
        }
        return bytes;
    }
}
