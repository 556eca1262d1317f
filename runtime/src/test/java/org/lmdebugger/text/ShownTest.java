package org.lmdebugger.text;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class ShownTest {
    @Test
    void aShortValueIsShownAsItIs() {
        assertThat(Shown.of("L1D2=from:\"Ça va ? 語 👩‍🔬 می‌خواهم\""))
                .isEqualTo("L1D2=from:\"Ça va ? 語 👩‍🔬 می‌خواهم\"");
        assertThat(Shown.of("a".repeat(100))).isEqualTo("a".repeat(100));
        assertThat(Shown.of(12)).isEqualTo("12");
        assertThat(Shown.of(null)).isEqualTo("null");
    }

    @Test
    void whatATerminalWouldObeyIsEscaped() {
        assertThat(Shown.of("a\nb\r\tc\u001b[2Jd\u202ee\u2028f\ud800g\u0085"))
                .isEqualTo("a\\nb\\r\\tc\\u001b[2Jd\\u202ee\\u2028f\\ud800g\\u0085");
        assertThat(Shown.of("\udb40\udc41")).as("an invisible tag").isEqualTo("\\udb40\\udc41");
    }

    @Test
    void ofALongValueTheBeginningIsShown() {
        assertThat(Shown.of("a".repeat(1_000_000))).isEqualTo("a".repeat(100) + "… (1,000,000 characters)");
        assertThat(Shown.of("🙂".repeat(51))).isEqualTo("🙂".repeat(50) + "… (102 characters)");
        assertThat(Shown.of("\0".repeat(1000))).hasSizeLessThan(130);
    }
}
