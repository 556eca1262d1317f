package org.lmdebugger.device.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.lmdebugger.bindings.CpuKernels;

/** The ways to compute a product agree: by native kernels, the JDK's vectors and OpenBLAS. */
class ProductTest {
    @ParameterizedTest
    @CsvSource({"1, 64, 96", "5, 48, 128", "14, 100, 447", "15, 100, 447", "40, 9, 170", "41, 300, 50", "100, 64, 96"})
    void withoutNativeKernelsTheSame(int m, int k, int n) {
        assumeTrue(CpuKernels.lanes() > 0);
        try (var arena = Arena.ofConfined()) {
            var a = random(arena, m * k, 1);
            var b = random(arena, k * n, 2);
            for (boolean transposed : new boolean[] {false, true}) {
                var kernels = multiply(CpuKernels.lanes(), transposed, arena, a, b, m, k, n);
                var others = multiply(0, transposed, arena, a, b, m, k, n);
                if (m <= 40 && !transposed) {
                    assertThat(others).as("few rows, in the order of k").containsExactly(kernels);
                } else {
                    // sums of k products, each at most 1, in two orders, each with k roundings
                    assertThat(others).usingComparatorWithPrecision(2 * k * k * 0x1p-24f).containsExactly(kernels);
                }
            }
        }
    }

    private static float[] multiply(int lanes, boolean transposed, Arena arena, MemorySegment a, MemorySegment b, int m,
            int k, int n) {
        var c = arena.allocate(4L * m * n, 64);
        var product = new Product(lanes);
        product.c.set(c, 0, m, n, n);
        product.a.set(a, 0, m, k, k);
        product.b.set(b, 0, transposed ? n : k, transposed ? k : n, transposed ? k : n);
        if (transposed) {
            product.multiplyTransposed(0, n);
        } else {
            product.multiply(0, n, false);
        }
        return c.toArray(JAVA_FLOAT);
    }

    private static MemorySegment random(Arena arena, int size, int seed) {
        var random = new Random(seed);
        var segment = arena.allocate(4L * size, 64);
        for (int i = 0; i < size; i++) {
            segment.setAtIndex(JAVA_FLOAT, i, 2 * random.nextFloat() - 1);
        }
        return segment;
    }
}
