package org.lmdebugger.bindings;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Random;
import java.util.concurrent.Executors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every product is one chain of fused multiply-adds, to the bit, by either width of vectors. */
class CpuKernelsTest {
    @BeforeAll
    static void onlyWhereThereAreKernels() {
        if ("true".equals(System.getenv("CI"))) {
            assertThat(CpuKernels.lanes()).as("floats of a vector (CI=true: kernels must be there)").isPositive();
        }
        assumeTrue(CpuKernels.lanes() > 0);
    }

    @ParameterizedTest
    @ValueSource(strings = {"5", "-8", "32", "all", ""})
    void refusesLanesThatThereAreNot(String lanes) {
        System.setProperty(CpuKernels.LANES, lanes);
        try {
            assertThatThrownBy(CpuKernels::most).isInstanceOf(NativeLibraryException.class)
                    .hasMessage("lmdebugger.cpu.lanes: %s (expected: 16, 8 or 0)", lanes);
        } finally {
            System.clearProperty(CpuKernels.LANES);
        }
    }

    @ParameterizedTest
    @CsvSource({"1, 1, 1", "1, 48, 64", "1, 100, 17", "3, 5, 7", "2, 15, 16", "7, 33, 160", "16, 49, 31", "17, 96, 33",
            "20, 447, 100", "21, 47, 385", "31, 33, 32", "64, 1, 129", "100, 64, 96", "40, 500, 9", "1011, 50, 3",
            "5, 4, 0"})
    void productsAreChainsInTheOrderOfK(int m, int n, int k) {
        for (int lanes = 8; lanes <= CpuKernels.lanes(); lanes += 8) {
            for (int way = 0; way < 4; way++) {
                boolean transposed = way % 2 == 1;
                boolean accumulate = way / 2 == 1;
                try (var arena = Arena.ofConfined()) {
                    int lda = k + 2;
                    int ldb = (transposed ? k : n) + 3;
                    int ldc = n + 1;
                    var a = random(arena, m * lda + 1);
                    var b = random(arena, (transposed ? n : k) * ldb + 1);
                    var c = random(arena, m * ldc);
                    float[] expected = c.toArray(JAVA_FLOAT); // what lies between the rows stays
                    for (int i = 0; i < m; i++) {
                        for (int j = 0; j < n; j++) {
                            float sum = accumulate ? expected[i * ldc + j] : 0;
                            for (int l = 0; l < k; l++) {
                                sum = Math.fma(a.getAtIndex(JAVA_FLOAT, 1 + i * lda + l),
                                        b.getAtIndex(JAVA_FLOAT, 1 + (transposed ? j * ldb + l : l * ldb + j)), sum);
                            }
                            expected[i * ldc + j] = sum;
                        }
                    }
                    CpuKernels.sgemm(transposed, m, n, k, a, 4, lda, b, 4, ldb, accumulate, c, 0, ldc, lanes,
                            arena.allocate(CpuKernels.scratch(), 64));
                    assertThat(c.toArray(JAVA_FLOAT))
                            .as("lanes %d, transposed %b, accumulate %b", lanes, transposed, accumulate)
                            .containsExactly(expected);
                }
            }
        }
    }

    @Test
    void singlePrecisionMeansSinglePrecision() {
        try (var arena = Arena.ofConfined()) {
            var a = arena.allocateFrom(JAVA_FLOAT, 1 + 0x1p-20f);
            var c = arena.allocate(JAVA_FLOAT);
            multiply(arena, 1, 1, 1, a, arena.allocateFrom(JAVA_FLOAT, 1f), c);
            assertThat(c.get(JAVA_FLOAT, 0)).isEqualTo(1 + 0x1p-20f);
        }
    }

    @Test
    void infinitiesAndNaNStayInTheirRowsAndColumns() {
        try (var arena = Arena.ofConfined()) {
            int n = 50;
            for (int m : new int[] {2, 30}) {
                var a = random(arena, m * n);
                var b = random(arena, n * n);
                a.setAtIndex(JAVA_FLOAT, n + 3, Float.NaN); // row 1
                b.setAtIndex(JAVA_FLOAT, 5 * n + 49, Float.POSITIVE_INFINITY); // column 49
                var c = arena.allocate(JAVA_FLOAT, (long) m * n);
                multiply(arena, m, n, n, a, b, c);
                for (int i = 0; i < m; i++) {
                    for (int j = 0; j < n; j++) {
                        assertThat(Float.isFinite(c.getAtIndex(JAVA_FLOAT, (long) i * n + j))).as("[%d, %d]", i, j)
                                .isEqualTo(i != 1 && j != 49);
                    }
                }
            }
        }
    }

    @Test
    void manyThreadsAtOnceGetWhatOneGets() throws Exception {
        int n = 96;
        try (var arena = Arena.ofShared(); var threads = Executors.newFixedThreadPool(16)) {
            var a = random(arena, n * n);
            var b = random(arena, n * n);
            var alone = arena.allocate(JAVA_FLOAT, (long) n * n);
            multiply(arena, n, n, n, a, b, alone);
            var results = IntStream.range(0, 16).mapToObj(t -> arena.allocate(JAVA_FLOAT, (long) n * n)).toList();
            var work = results.stream().map(c -> threads.submit(() -> {
                try (var own = Arena.ofConfined()) {
                    for (int i = 0; i < 50; i++) {
                        c.fill((byte) 0);
                        multiply(own, n, n, n, a, b, c);
                    }
                }
            })).toList();
            for (var done : work) {
                done.get();
            }
            assertThat(results).allSatisfy(c -> assertThat(c.mismatch(alone)).isEqualTo(-1));
        }
    }

    @Test
    void badArgumentsAreRefused() {
        try (var arena = Arena.ofConfined()) {
            var four = arena.allocate(JAVA_FLOAT, 4);
            assertThatThrownBy(() -> multiply(arena, 2, 2, 3, four, four, four))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage("a: 24 bytes from 0 on (expected: within a native segment of 16 bytes)");
            assertThatThrownBy(() -> multiply(arena, -1, 2, 3, four, four, four))
                    .hasMessage("sizes: m -1, n 2, k 3 (expected: none negative)");
            assertThatThrownBy(
                    () -> CpuKernels.sgemm(false, 1, 1, 1, four, 0, 1, four, 0, 1, false, four, 0, 1, 4, four))
                            .hasMessageStartingWith("lanes: 4 (expected: 16 or 8, at most ");
            assertThatThrownBy(
                    () -> CpuKernels.sgemm(false, 1, 1, 1, four, 0, 1, four, 0, 1, false, four, 0, 1, 8, four))
                            .hasMessageStartingWith("scratch: 16 bytes at ");
        }
    }

    private static void multiply(Arena arena, int m, int n, int k, MemorySegment a, MemorySegment b, MemorySegment c) {
        CpuKernels.sgemm(false, m, n, k, a, 0, Math.max(1, k), b, 0, n, false, c, 0, n, CpuKernels.lanes(),
                arena.allocate(CpuKernels.scratch(), 64));
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
