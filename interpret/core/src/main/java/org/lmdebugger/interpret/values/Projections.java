package org.lmdebugger.interpret.values;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.model.TokenLogit;

/**
 * The tokens that all value vectors of a model promote and suppress most, in host memory: of each vector k tokens with
 * the largest logits, largest first, and k with the smallest, smallest first. Any thread may read them while the memory
 * lives.
 */
public final class Projections {
    private static final ValueLayout.OfInt I32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final ValueVectors vectors;
    private final int k;
    private final MemorySegment data; // [N, 2, 2, k] of 4 bytes: the top's ids and logits, the bottom's ids and logits

    Projections(ValueVectors vectors, int k, MemorySegment data) {
        this.vectors = vectors;
        this.k = k;
        this.data = data;
    }

    static long byteSize(int vectors, int k) {
        return 16L * vectors * k;
    }

    /** Returns the number of tokens of each vector, at the top and at the bottom. */
    public int k() {
        return k;
    }

    /** Returns the ids of the tokens that a vector promotes most, by its {@linkplain ValueVectors#index index}. */
    public int[] topIds(int vector) {
        return ids(vector, 0);
    }

    /** Returns the logits of {@link #topIds}. */
    public float[] topLogits(int vector) {
        return logits(vector, 0);
    }

    /** Returns the ids of the tokens that a vector suppresses most. */
    public int[] bottomIds(int vector) {
        return ids(vector, 1);
    }

    /** Returns the logits of {@link #bottomIds}. */
    public float[] bottomLogits(int vector) {
        return logits(vector, 1);
    }

    /** Returns the tokens of one vector. */
    public Projection of(Neuron vector) {
        return read(vectors.index(vector), vector);
    }

    /** Entry {@code index}, which is of {@code vector}. */
    Projection read(int index, Neuron vector) {
        return new Projection(vector, vectors.tokens(topIds(index), topLogits(index)),
                vectors.tokens(bottomIds(index), bottomLogits(index)));
    }

    private int[] ids(int vector, int side) {
        var ids = new int[k];
        MemorySegment.copy(data, I32, offset(vector, side), ids, 0, k);
        return ids;
    }

    private float[] logits(int vector, int side) {
        var logits = new float[k];
        MemorySegment.copy(data, F32, offset(vector, side) + 4L * k, logits, 0, k);
        return logits;
    }

    private long offset(int vector, int side) {
        return 16L * k * vector + 8L * k * side;
    }

    /** Takes one side of the vectors from {@code first} on. Shapes: ids and logits [n, k]. */
    void put(int first, boolean bottom, int[] ids, float[] logits) {
        for (int i = 0; i < ids.length / k; i++) {
            long at = offset(first + i, bottom ? 1 : 0);
            MemorySegment.copy(ids, i * k, data, I32, at, k);
            MemorySegment.copy(logits, i * k, data, F32, at + 4L * k, k);
        }
    }

    /**
     * The tokens that one vector promotes and suppresses most.
     *
     * @param vector which
     * @param top    the tokens with the largest logits, largest first, ties to the lower id
     * @param bottom the tokens with the smallest, smallest first
     */
    public record Projection(Neuron vector, List<TokenLogit> top, List<TokenLogit> bottom) {
        public Projection {
            top = List.copyOf(top);
            bottom = List.copyOf(bottom);
        }
    }
}
