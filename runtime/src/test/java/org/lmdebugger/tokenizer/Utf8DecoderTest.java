package org.lmdebugger.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvFileSource;

class Utf8DecoderTest {
    /** Bytes, and the UTF-16 of what Python's {@code bytes.decode("utf-8", "replace")} makes of them. */
    @ParameterizedTest
    @CsvFileSource(resources = "/tokenizer/utf8.txt", delimiter = ' ')
    void replacesAsPythonDoes(String bytes, String utf16) {
        var input = HexFormat.of().parseHex(bytes);
        var expected = new String(HexFormat.of().parseHex(utf16), StandardCharsets.UTF_16BE);
        var decoder = new Utf8Decoder();
        assertThat(decoder.append(input) + decoder.finish()).isEqualTo(expected);

        var text = new StringBuilder(); // the same byte by byte, with the same decoder
        for (byte b : input) {
            text.append(decoder.append(b));
        }
        assertThat(text + decoder.finish()).isEqualTo(expected);
        assertThat(decoder.finish()).isEmpty();
    }

    @Test
    void decodesEveryCharacter() {
        var all = new StringBuilder();
        for (int c = 0; c <= Character.MAX_CODE_POINT; c++) {
            if (c < Character.MIN_SURROGATE || c > Character.MAX_SURROGATE) {
                all.appendCodePoint(c);
            }
        }
        var decoder = new Utf8Decoder();
        assertThat(decoder.append(all.toString().getBytes(StandardCharsets.UTF_8)).contentEquals(all)).isTrue();
        assertThat(decoder.finish()).isEmpty();
    }

    @Test
    void emitsACharacterWithItsLastByte() {
        var decoder = new Utf8Decoder();
        var bytes = "€".getBytes(StandardCharsets.UTF_8);
        assertThat(decoder.append(bytes[0], bytes[1])).isEmpty();
        assertThat(decoder.append(bytes[2])).isEqualTo("€");
    }
}
