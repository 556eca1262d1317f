package org.lmdebugger.device;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Random;
import java.util.function.ToDoubleBiFunction;

/** A matrix on the heap, for plain reference loops, and its comparison with what a device computed. */
record Matrix(int rows, int columns, float[] data) {
    /** One seed for all tests: -Dtest.seed sets it, failures print it. */
    static final long SEED = Long.getLong("test.seed", 20_261_123);

    static Matrix random(int rows, int columns, int salt) {
        var random = new Random(SEED * 31 + salt);
        var data = new float[rows * columns];
        for (int i = 0; i < data.length; i++) {
            data[i] = (float) random.nextGaussian();
        }
        return new Matrix(rows, columns, data);
    }

    static Matrix of(int rows, int columns, ToDoubleBiFunction<Integer, Integer> element) {
        var data = new float[rows * columns];
        for (int i = 0; i < data.length; i++) {
            data[i] = (float) element.applyAsDouble(i / columns, i % columns);
        }
        return new Matrix(rows, columns, data);
    }

    double at(int row, int column) {
        return data[row * columns + column];
    }

    Tensor on(Device device, TensorScope scope) {
        return device.call(session -> {
            var tensor = scope.allocate(ElementType.F32, rows, columns);
            session.upload(tensor, data);
            return tensor;
        });
    }

    /** The same numbers in a window of a wider tensor, whose other columns are NaN: reading or writing them shows. */
    Tensor windowOn(Device device, TensorScope scope) {
        int left = 3;
        int width = columns + 5;
        var wide = new float[rows * width];
        Arrays.fill(wide, Float.NaN);
        for (int r = 0; r < rows; r++) {
            System.arraycopy(data, r * columns, wide, r * width + left, columns);
        }
        return new Matrix(rows, width, wide).on(device, scope).columns(left, columns);
    }

    /** Each element within {@code absolute + relative·|expected|}; NaN never is. */
    static void assertClose(Tensor actual, double absolute, double relative,
            ToDoubleBiFunction<Integer, Integer> expected) {
        var values = actual.toFloats();
        int columns = (int) actual.columns();
        double worst = -1;
        int at = 0;
        for (int i = 0; i < values.length; i++) {
            double reference = expected.applyAsDouble(i / columns, i % columns);
            double error = Math.abs(values[i] - reference) / (absolute + relative * Math.abs(reference));
            if (Double.isNaN(error) || error > worst) {
                worst = Double.isNaN(error) ? Double.POSITIVE_INFINITY : error;
                at = i;
            }
        }
        if (values.length > 0) {
            assertThat(worst)
                    .as("error over tolerance, largest at [%d, %d]: %s, expected %s (seed %d)", at / columns,
                            at % columns,
                            values[at], expected.applyAsDouble(at / columns, at % columns), SEED)
                    .isLessThanOrEqualTo(1);
        }
    }
}
