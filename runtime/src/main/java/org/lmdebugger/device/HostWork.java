package org.lmdebugger.device;

import java.util.Arrays;
import java.util.stream.IntStream;

/** Operations of {@link Session} by way of the host and other operations, for devices that have no kernel of their own. */
final class HostWork {
    private HostWork() {
    }

    static void bottomK(Session session, Tensor indices, Tensor values, Tensor x) {
        Arguments.topK(indices, values, x);
        try (var negated = x.device().allocate(ElementType.F32, x.rows(), x.columns())) {
            session.upload(negated, negated(session, x));
            session.topK(indices, values, negated);
            session.upload(values, negated(session, values));
        }
    }

    private static float[] negated(Session session, Tensor tensor) {
        var numbers = numbers(session, tensor);
        for (int i = 0; i < numbers.length; i++) {
            numbers[i] = -numbers[i];
        }
        return numbers;
    }

    static void linkClusters(Session session, Tensor s, long kept, long dropped) {
        Arguments.linkClusters(s, kept, dropped);
        var row = numbers(session, s.row(kept));
        var other = numbers(session, s.row(dropped));
        for (int i = 0; i < row.length; i++) {
            row[i] = Math.min(row[i], other[i]);
        }
        session.upload(s.row(kept), row);
        var living = IntStream.range(0, row.length).filter(i -> row[i] != Float.NEGATIVE_INFINITY).toArray();
        var similarities = new float[living.length];
        for (int j = 0; j < living.length; j++) {
            similarities[j] = row[living[j]];
        }
        setColumn(session, s, (int) kept, living, similarities);
        Arrays.fill(similarities, Float.NEGATIVE_INFINITY);
        setColumn(session, s, (int) dropped, living, similarities);
    }

    private static void setColumn(Session session, Tensor s, int column, int[] rows, float[] numbers) {
        if (rows.length == 0) {
            return;
        }
        var columns = new int[rows.length];
        Arrays.fill(columns, column);
        try (var scope = new TensorScope(s.device())) {
            session.editCoefficients(s, scope.vector(session, rows), scope.vector(session, columns),
                    scope.vector(session, new float[rows.length]), scope.vector(session, numbers));
        }
    }

    private static float[] numbers(Session session, Tensor tensor) {
        var numbers = new float[Math.toIntExact(tensor.rows() * tensor.columns())];
        session.download(numbers, tensor);
        return numbers;
    }
}
