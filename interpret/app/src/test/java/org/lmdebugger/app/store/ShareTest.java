package org.lmdebugger.app.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Shares of chunks are disjoint, are all chunks together, and have about equal work. */
class ShareTest {
    @Test
    void eachChunkIsInOneShare() {
        var random = new SplittableRandom(1);
        for (int count = 1; count < 12; count++) {
            var work = random.doubles(random.nextInt(30), 0, 5).boxed().toList();
            int next = 0;
            for (int number = 1; number <= count; number++) {
                var range = new Share(number, count).range(work);
                assertThat(range.from()).isEqualTo(next);
                next = range.to();
            }
            assertThat(next).isEqualTo(work.size());
        }
    }

    @Test
    void sharesHaveAboutEqualWork() {
        var work = IntStream.range(0, 1000).mapToObj(i -> 1000.0 - i).toList(); // the first take longest
        for (int number = 1; number <= 7; number++) {
            var range = new Share(number, 7).range(work);
            assertThat(work.subList(range.from(), range.to()).stream().mapToDouble(each -> each).sum())
                    .isBetween(500_500 / 7 - 1000.0, 500_500 / 7 + 1000.0);
        }
        assertThat(new Share(2, 4).range(Collections.nCopies(8, 9L))).isEqualTo(new Share.Range(2, 4));
        assertThat(new Share(1, 2).range(List.of(0.0, 0.0))).isEqualTo(new Share.Range(0, 0));
        assertThat(new Share(2, 2).range(List.of(0.0, 0.0))).isEqualTo(new Share.Range(0, 2));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "1", "0/3", "4/3", "1/0", "-1/3", "1/3/5", "a/b", "1 / 3", "9999999999/9999999999"})
    void othersAreRefused(String text) {
        assertThatThrownBy(() -> Share.parse(text)).isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("(expected: K/N, with K from 1 to N");
        assertThat(Share.parse("2/8")).isEqualTo(new Share(2, 8)).hasToString("2/8");
    }
}
