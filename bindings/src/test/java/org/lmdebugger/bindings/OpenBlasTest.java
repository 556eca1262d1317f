package org.lmdebugger.bindings;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Random;
import java.util.concurrent.Executors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class OpenBlasTest {
    @ParameterizedTest
    @CsvSource({"1, 1, 1", "3, 5, 7", "31, 33, 32", "64, 1, 129", "100, 64, 96"})
    void productsEqualPlainLoops(int m, int n, int k) {
        for (boolean tb : new boolean[] {false, true}) {
            try (var arena = Arena.ofConfined()) {
                int lda = k + 2;
                int ldb = (tb ? k : n) + 3;
                var a = random(arena, m * lda);
                var b = random(arena, (tb ? n : k) * ldb);
                var c = arena.allocate(JAVA_FLOAT, (long) m * n);
                OpenBlas.sgemm(tb, m, n, k, a, 0, lda, b, 0, ldb, 0, c, 0, n);
                for (int i = 0; i < m; i++) {
                    for (int j = 0; j < n; j++) {
                        double sum = 0;
                        for (int l = 0; l < k; l++) {
                            sum += (double) a.getAtIndex(JAVA_FLOAT, (long) i * lda + l)
                                    * b.getAtIndex(JAVA_FLOAT, tb ? j * ldb + l : l * ldb + j);
                        }
                        // k products of size ≤ 1, each rounded to 2⁻²⁴ of the running sum's bound k
                        assertThat((double) c.getAtIndex(JAVA_FLOAT, (long) i * n + j))
                                .isCloseTo(sum, within(k * 1e-6));
                    }
                }
            }
        }
    }

    @Test
    void singlePrecisionMeansSinglePrecision() {
        try (var arena = Arena.ofConfined()) {
            var a = arena.allocateFrom(JAVA_FLOAT, 1 + 0x1p-20f);
            var c = arena.allocate(JAVA_FLOAT);
            OpenBlas.sgemm(false, 1, 1, 1, a, 0, 1, arena.allocateFrom(JAVA_FLOAT, 1f), 0, 1, 0, c, 0, 1);
            assertThat(c.get(JAVA_FLOAT, 0)).isEqualTo(1 + 0x1p-20f);
        }
    }

    @Test
    void manyThreadsAtOnceGetWhatOneGets() throws Exception {
        int n = 96;
        try (var arena = Arena.ofShared(); var threads = Executors.newFixedThreadPool(16)) {
            var a = random(arena, n * n);
            var b = random(arena, n * n);
            var alone = arena.allocate(JAVA_FLOAT, (long) n * n);
            OpenBlas.sgemm(false, n, n, n, a, 0, n, b, 0, n, 0, alone, 0, n);
            var results = IntStream.range(0, 16).mapToObj(t -> arena.allocate(JAVA_FLOAT, (long) n * n)).toList();
            var work = results.stream().map(c -> threads.submit(() -> {
                for (int i = 0; i < 200; i++) {
                    c.fill((byte) 0);
                    OpenBlas.sgemm(false, n, n, n, a, 0, n, b, 0, n, 0, c, 0, n);
                }
            })).toList();
            for (var done : work) {
                done.get();
            }
            assertThat(results).allSatisfy(c -> assertThat(c.mismatch(alone)).isEqualTo(-1));
        }
    }

    @Test
    void operandsBeyondTheirSegmentsAreRefused() {
        try (var arena = Arena.ofConfined()) {
            var four = arena.allocate(JAVA_FLOAT, 4);
            assertThatThrownBy(() -> OpenBlas.sgemm(false, 2, 2, 3, four, 0, 3, four, 0, 2, 0, four, 0, 2))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("a: 24 bytes from 0 on (expected: within a native segment of 16 bytes)");
            assertThatThrownBy(() -> OpenBlas.sgemm(false, 2, 2, 2, four, 4, 2, four, 0, 2, 0, four, 0, 2))
                    .hasMessageStartingWith("a: 16 bytes from 4 on");
            assertThatThrownBy(() -> OpenBlas.sgemm(false, 2, 2, 2, four, 0, 1, four, 0, 2, 0, four, 0, 2))
                    .hasMessage("ld of a: 1 (expected: at least 2)");
            var heap = MemorySegment.ofArray(new float[1]);
            assertThatThrownBy(() -> OpenBlas.sgemm(false, 1, 1, 1, heap, 0, 1, four, 0, 1, 0, four, 0, 1))
                    .hasMessageContaining("native segment");
            // 2³¹ rows of 2³¹ columns: the size in bytes does not fit 63 bits' worth of int arithmetic
            int max = Integer.MAX_VALUE;
            assertThatThrownBy(() -> OpenBlas.sgemm(false, max, 1, 1, four, 0, max, four, 0, 1, 0, four, 0, 1))
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void describesItself() {
        assertThat(OpenBlas.description()).startsWith("OpenBLAS 0.3");
    }

    private static MemorySegment random(Arena arena, int size) {
        var random = new Random(size);
        var segment = arena.allocate(JAVA_FLOAT, size);
        for (int i = 0; i < size; i++) {
            segment.setAtIndex(JAVA_FLOAT, i, random.nextFloat() - 0.5f);
        }
        return segment;
    }
}
