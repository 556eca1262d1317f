package org.lmdebugger.interpret.values;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.stream.IntStream;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.interpret.activations.Lens;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.values.Projections.Projection;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.TokenLogit;
import org.lmdebugger.progress.Progress;

/**
 * The value vectors of a model, f in each of L layers: what they say, which of them promote or suppress given tokens,
 * and which are like another. Any thread may ask; the same question gives the same bits every time on one device. A
 * vector's index is layer·f + neuron.
 */
public final class ValueVectors {
    private final Gpt2 model;
    private final int layers;
    private final int width; // vectors of a layer, f

    /** Makes the value vectors of {@code model}, which its owner closes. */
    public ValueVectors(Gpt2 model) {
        this.model = model;
        layers = model.config().layers();
        width = model.config().feedForwardWidth();
    }

    /** The transformation of a value vector v before it is multiplied with the output embedding. */
    public enum Reading {
        /** None: v itself, as LM-Debugger reads it. */
        RAW,
        /**
         * (v − mean(v)) ⊙ γ, γ the gain of the final LayerNorm: the change of the logits for a coefficient of 1,
         * times the deviation σ of the residual stream that the norm divides by.
         */
        FINAL_NORM
    }

    /** A value vector and its score in a search. */
    public record Match(Neuron vector, float score) {
    }

    /** Returns the number of value vectors. */
    public int count() {
        return layers * width;
    }

    /** @throws IllegalArgumentException if the model has no such vector */
    public int index(Neuron vector) {
        if (vector.layer() < 0 || vector.layer() >= layers || vector.neuron() < 0 || vector.neuron() >= width) {
            throw new IllegalArgumentException("value vector: %s (expected: L0 to L%d and D0 to D%d in this model)"
                    .formatted(vector, layers - 1, width - 1));
        }
        return vector.layer() * width + vector.neuron();
    }

    /** Returns the vector of an index. */
    public Neuron at(int index) {
        return new Neuron(index / width, index % width);
    }

    public Gpt2 model() {
        return model;
    }

    public Device device() {
        return model.device();
    }

    public Tensor row(Neuron vector) {
        index(vector);
        return model.layer(vector.layer()).ffnOut().row(vector.neuron());
    }

    List<TokenLogit> tokens(int[] ids, float[] logits) {
        return IntStream.range(0, ids.length)
                .mapToObj(j -> new TokenLogit(ids[j], model.tokenizer().text(ids[j]), logits[j])).toList();
    }

    /** Returns the {@code k} tokens that a vector of your own promotes most, read raw. */
    public List<TokenLogit> tokens(float[] vector, int k) {
        checkTokens(k);
        try (var scope = new TensorScope(model.device())) {
            var tensor = model.call(session -> scope.vector(session, vector));
            return Lens.raw(model).tokens(tensor, k).getFirst();
        }
    }

    /** Returns the {@code k} tokens that one vector promotes most and the {@code k} that it suppresses most. */
    public Projection project(Neuron vector, int k, Reading reading) {
        var row = row(vector);
        checkTokens(k);
        try (var arena = Arena.ofConfined()) {
            var one = new Projections(this, k, arena.allocate(Projections.byteSize(1, k)));
            model.call(session -> {
                try (var projector = new Projector(model, session, k, reading, 1, one::put)) {
                    projector.project(row, 0);
                    projector.finish();
                }
                return null;
            });
            return one.read(0, vector);
        }
    }

    /** Bytes of host memory that the projections of all vectors take. */
    public long byteSize(int k) {
        checkTokens(k);
        return Projections.byteSize(count(), k);
    }

    /**
     * Computes the tokens of all vectors. Logits may differ in the last bits from those of a vector that is projected
     * alone.
     *
     * @param k    tokens of each vector, at the top and at the bottom
     * @param into host memory of exactly {@link #byteSize} bytes, in which the result lives
     * @param progress of the vectors
     */
    public Projections project(int k, Reading reading, MemorySegment into, Progress progress) {
        var all = projections(k, into);
        model.call(session -> {
            try (var projector = new Projector(model, session, k, reading, width, (first, bottom, ids, logits) -> {
                all.put(first, bottom, ids, logits);
                if (bottom) { // the second of the two
                    progress.report(first + ids.length / k, count());
                }
            })) {
                int tiles = Math.ceilDiv(width, projector.tile());
                for (int l = 0; l < layers; l++) {
                    for (long t = 0; t < tiles; t++) {
                        int from = (int) (width * t / tiles);
                        int to = (int) (width * (t + 1) / tiles);
                        projector.project(model.layer(l).ffnOut().rows(from, to - from), l * width + from);
                    }
                }
                projector.finish();
            }
            return null;
        });
        return all;
    }

    /** Returns projections that were computed before, from the memory that holds them. */
    public Projections projections(int k, MemorySegment data) {
        if (data.byteSize() != byteSize(k)) {
            throw new IllegalArgumentException("data: %d bytes (expected: %d)".formatted(data.byteSize(), byteSize(k)));
        }
        return new Projections(this, k, data);
    }

    private void checkTokens(int k) {
        check("k", k, model.config().vocabularySize());
    }

    /**
     * The {@code k} vectors that promote {@code tokens} most: those with the largest mean of the tokens' raw logits,
     * which is their score; ties to the lower index.
     *
     * @throws IllegalArgumentException if there is no token, or one that the model does not have
     */
    public List<Match> promote(int[] tokens, int k) {
        check("k", k, count());
        return new ExactSearch(model, this).extremes(1, tokens, k);
    }

    /**
     * Returns the {@code k} vectors that suppress {@code tokens} most: those with the smallest mean, smallest first.
     */
    public List<Match> suppress(int[] tokens, int k) {
        check("k", k, count());
        return new ExactSearch(model, this).extremes(-1, tokens, k);
    }

    /**
     * Returns the {@code k} other vectors that point most nearly where {@code vector} does; their score is the cosine.
     */
    public List<Match> similar(Neuron vector, int k) {
        check("k", k, count() - 1);
        return new ExactSearch(model, this).similar(vector, k);
    }

    public static void check(String name, int value, int most) {
        if (value < 1 || value > most) {
            throw new IllegalArgumentException("%s: %d (expected: 1 to %d)".formatted(name, value, most));
        }
    }
}
