package org.lmdebugger.device;

import java.util.function.Consumer;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.TestInstance;

/** A device for the tests of a class, tensors for each of them, short forms of calls, and formulas in double precision. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class ContractTest {
    /** Rounding of a few operations on numbers of size 1. */
    static final double FEW = 2e-6;

    Device device;
    TensorScope scope;

    private final Precision precision;

    ContractTest(Precision precision) {
        this.precision = precision;
    }

    @BeforeAll
    void open() {
        device = TestDevice.open(precision);
    }

    @AfterAll
    void close() {
        if (device != null) {
            device.close();
        }
    }

    @BeforeEach
    void openScope() {
        scope = new TensorScope(device);
    }

    @AfterEach
    void closeScope() {
        scope.close();
    }

    void run(Consumer<Operations> work) {
        device.call(session -> {
            work.accept(session);
            return null;
        });
    }

    Tensor empty(int rows, int columns) {
        return scope.allocate(ElementType.F32, rows, columns);
    }

    Tensor ints(int... values) {
        return device.call(session -> scope.vector(session, values));
    }

    // ---- formulas

    static double mean(Matrix x, int row) {
        return IntStream.range(0, x.columns()).mapToDouble(i -> x.at(row, i)).average().orElseThrow();
    }

    static double deviation(Matrix x, int row, double epsilon) {
        double mean = mean(x, row);
        return Math.sqrt(IntStream.range(0, x.columns()).mapToDouble(i -> Math.pow(x.at(row, i) - mean, 2)).average()
                .orElseThrow() + epsilon);
    }

    /** x·Φ(x), the integral of the normal density from −12 on by Simpson's rule. */
    static double geluErf(double x) {
        int steps = 400; // an error below 1e-8
        double from = -12;
        double h = (x - from) / steps;
        double sum = IntStream.rangeClosed(0, steps).mapToDouble(i -> (i == 0 || i == steps ? 1 : i % 2 == 0 ? 2 : 4)
                * Math.exp(-Math.pow(from + i * h, 2) / 2)).sum();
        return x * sum * h / 3 / Math.sqrt(2 * Math.PI);
    }

    static double gelu(double x) {
        return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
    }

    static double kl(Matrix clean, Matrix logits, int row) {
        double q = logSumExp(clean, 0);
        double p = logSumExp(logits, row);
        return sum(clean.columns(), i -> Math.exp(clean.at(0, i) - q) * (clean.at(0, i) - q - logits.at(row, i) + p));
    }

    static double logSumExp(Matrix logits, int row) {
        double max = IntStream.range(0, logits.columns()).mapToDouble(i -> logits.at(row, i)).max().orElseThrow();
        return max + Math.log(sum(logits.columns(), i -> Math.exp(logits.at(row, i) - max)));
    }

    static double sum(int n, IntToDoubleFunction term) {
        return IntStream.range(0, n).mapToDouble(term).sum();
    }
}
