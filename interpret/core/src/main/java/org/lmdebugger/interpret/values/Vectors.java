package org.lmdebugger.interpret.values;

import java.util.List;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.Tensor;

/** A few vectors on the heap; sums are in double precision. */
public final class Vectors {
    private Vectors() {
    }

    public static float[] download(Operations session, Tensor tensor) {
        var to = new float[Math.toIntExact(tensor.rows() * tensor.columns())];
        session.download(to, tensor);
        return to;
    }

    /** Queues a copy of an F32 tensor; the numbers are there after the session's next {@code await}. */
    static float[] fetch(Operations session, Tensor tensor) {
        var to = new float[Math.toIntExact(tensor.rows() * tensor.columns())];
        session.fetch(to, tensor);
        return to;
    }

    /** Queues a copy of an I32 tensor, likewise. */
    static int[] fetchInts(Operations session, Tensor tensor) {
        var to = new int[Math.toIntExact(tensor.rows() * tensor.columns())];
        session.fetch(to, tensor);
        return to;
    }

    public static double dot(float[] a, float[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += (double) a[i] * b[i];
        }
        return sum;
    }

    /** Returns the cosine of the angle between two vectors; 0 if one of them is 0. */
    public static double cosine(float[] a, float[] b) {
        double lengths = Math.sqrt(dot(a, a) * dot(b, b));
        return lengths == 0 ? 0 : dot(a, b) / lengths;
    }

    public static float[] mean(List<float[]> vectors) {
        var sum = new double[vectors.getFirst().length];
        for (var vector : vectors) {
            for (int i = 0; i < sum.length; i++) {
                sum[i] += vector[i];
            }
        }
        var mean = new float[sum.length];
        for (int i = 0; i < mean.length; i++) {
            mean[i] = (float) (sum[i] / vectors.size());
        }
        return mean;
    }

    /** Gives every row of width {@code d} the length 1; a row of zeros stays one. */
    public static void normalise(float[] rows, int d) {
        for (int at = 0; at < rows.length; at += d) {
            double squares = 0;
            for (int i = at; i < at + d; i++) {
                squares += (double) rows[i] * rows[i];
            }
            double factor = squares == 0 ? 0 : 1 / Math.sqrt(squares);
            for (int i = at; i < at + d; i++) {
                rows[i] = (float) (rows[i] * factor);
            }
        }
    }
}
