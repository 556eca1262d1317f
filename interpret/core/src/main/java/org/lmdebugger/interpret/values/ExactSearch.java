package org.lmdebugger.interpret.values;

import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.interpret.activations.Overflow;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.values.ValueVectors.Match;
import org.lmdebugger.model.Gpt2;

/** Questions that one product of every value vector with one direction answers: each weight is read once. */
record ExactSearch(Gpt2 model, ValueVectors vectors) {
    /** Returns the vectors with the largest sign·(mean logit of the tokens); scores are mean logits. */
    List<Match> extremes(int sign, int[] tokens, int k) {
        if (tokens.length == 0) {
            throw new IllegalArgumentException("tokens: none (expected: at least one)");
        }
        IntStream.of(tokens).forEach(model.tokenizer()::raw); // throws for an id that is none
        var direction = Vectors.mean(IntStream.of(tokens).mapToObj(id -> model.head().row(id).toFloats()).toList());
        var weights = new float[model.config().feedForwardWidth()];
        Arrays.fill(weights, sign);
        return largest(direction, layer -> weights, k).stream()
                .map(match -> new Match(match.vector(), sign * match.score())).toList();
    }

    /** Returns the vectors with the largest cosine to {@code vector}, but for itself. */
    List<Match> similar(Neuron vector, int k) {
        var direction = vectors.row(vector).toFloats();
        double length = Math.sqrt(Vectors.dot(direction, direction));
        var found = largest(direction, layer -> {
            var weights = model.layer(layer).valueNorms().toFloats();
            for (int i = 0; i < weights.length; i++) {
                double lengths = weights[i] * length;
                weights[i] = lengths == 0 ? 0 : (float) (1 / lengths);
            }
            return weights;
        }, k + 1);
        return found.stream().filter(match -> !match.vector().equals(vector)).limit(k).toList();
    }

    /**
     * Returns the vectors with the largest weight·(v·direction), in single precision on any device; ties to the lower
     * index.
     */
    private List<Match> largest(float[] direction, IntFunction<float[]> weightsOfLayer, int k) {
        int width = model.config().feedForwardWidth();
        var indices = new int[k];
        var best = new float[k];
        try (var scope = new TensorScope(model.device())) {
            model.call(session -> {
                var reader = scope.vector(session, direction);
                var neurons = scope.vector(session, IntStream.range(0, width).toArray());
                var weights = scope.allocate(ElementType.F32, 1, width);
                var scores = scope.allocate(ElementType.F32, 1, vectors.count());
                for (int l = 0; l < model.config().layers(); l++) {
                    session.upload(weights, weightsOfLayer.apply(l));
                    session.contributions(scores.columns((long) l * width, width), neurons, weights,
                            model.layer(l).ffnOut(), reader);
                }
                var topIndices = scope.allocate(ElementType.I32, 1, k);
                var topScores = scope.allocate(ElementType.F32, 1, k);
                session.topK(topIndices, topScores, scores);
                session.download(indices, topIndices);
                session.download(best, topScores);
                return null;
            });
        }
        Overflow.finite(best);
        return IntStream.range(0, k).mapToObj(j -> new Match(vectors.at(indices[j]), best[j])).toList();
    }
}
