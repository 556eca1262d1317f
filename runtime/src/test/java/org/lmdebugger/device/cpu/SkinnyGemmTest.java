package org.lmdebugger.device.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Bits must not depend on where the weights lie in memory, how the columns are divided, nor on what other rows there are. */
class SkinnyGemmTest {
    @ParameterizedTest
    @CsvSource({"1, 64, 96", "1, 13, 37", "5, 48, 128", "7, 33, 160", "10, 97, 33", "14, 100, 447", "2, 16, 5",
            "3, 49, 193", "40, 9, 1700"})
    void equalBitsWhereverTheWeightsLieAndHoweverColumnsAreDivided(int m, int k, int n) {
        try (var arena = Arena.ofConfined()) {
            var a = random(arena.allocate(4L * m * k, 64), 1);
            var weights = random(arena.allocate(4L * k * n, 64), 2);
            var expected = multiply(arena, a, weights, m, k, n, n);
            for (int shift = 4; shift <= 64; shift += 12) {
                var moved = arena.allocate(4L * k * n + shift, 64).asSlice(shift);
                MemorySegment.copy(weights, 0, moved, 0, 4L * k * n);
                assertThat(multiply(arena, a, moved, m, k, n, n)).as("moved by %d bytes", shift)
                        .containsExactly(expected);
                assertThat(multiply(arena, a, moved, m, k, n, n / 2)).as("in two parts").containsExactly(expected);
                assertThat(multiply(arena, a, moved, m, k, n, 3)).as("in uneven parts").containsExactly(expected);
            }
            for (int i = 0; i < m; i++) {
                var alone = multiply(arena, a.asSlice(4L * i * k, 4L * k), weights, 1, k, n, n);
                assertThat(alone).as("row %d alone", i)
                        .containsExactly(Arrays.copyOfRange(expected, i * n, (i + 1) * n));
                for (int j = 0; j < n; j++) {
                    double sum = 0;
                    double size = 0;
                    for (int l = 0; l < k; l++) {
                        double product = (double) a.getAtIndex(JAVA_FLOAT, i * k + l)
                                * weights.getAtIndex(JAVA_FLOAT, l * n + j);
                        sum += product;
                        size += Math.abs(product);
                    }
                    // k roundings, each of at most half an ulp of a partial sum that is no larger than `size`
                    assertThat((double) expected[i * n + j]).isBetween(sum - k * 0x1p-24 * size,
                            sum + k * 0x1p-24 * size);
                }
            }
        }
    }

    /** C = A·B by columns 0 … split−1, then the others, onto NaN. */
    private static float[] multiply(Arena arena, MemorySegment a, MemorySegment b, int m, int k, int n, int split) {
        var c = arena.allocate(4L * m * n, 64);
        for (int i = 0; i < m * n; i++) {
            c.setAtIndex(JAVA_FLOAT, i, Float.NaN);
        }
        var product = new Product(0);
        product.c.set(c, 0, m, n, n);
        product.a.set(a, 0, m, k, k);
        product.b.set(b, 0, k, n, n);
        SkinnyGemm.multiply(product.c, product.a, product.b, 0, split, false);
        SkinnyGemm.multiply(product.c, product.a, product.b, split, n, false);
        return c.toArray(JAVA_FLOAT);
    }

    private static MemorySegment random(MemorySegment segment, int seed) {
        var random = new Random(seed);
        for (long i = 0; i < segment.byteSize() / 4; i++) {
            segment.setAtIndex(JAVA_FLOAT, i, (float) random.nextGaussian());
        }
        return segment;
    }
}
