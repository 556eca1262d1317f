package org.lmdebugger.device;

import java.util.function.Consumer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.TestInstance;

/** A device for the tests of a class, tensors for each of them, and short forms of calls. */
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
}
