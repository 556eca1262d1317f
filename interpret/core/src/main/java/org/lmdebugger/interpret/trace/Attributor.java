package org.lmdebugger.interpret.trace;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.Predicate;
import java.util.stream.IntStream;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.interpret.activations.Activations;
import org.lmdebugger.interpret.activations.Lens;
import org.lmdebugger.interpret.edit.Head;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.edit.Part;
import org.lmdebugger.interpret.edit.Residual;
import org.lmdebugger.interpret.trace.Attribution.Component;
import org.lmdebugger.interpret.trace.Attribution.Contribution;
import org.lmdebugger.interpret.trace.Attribution.Kind;
import org.lmdebugger.interpret.trace.Attribution.NeuronEffect;
import org.lmdebugger.interpret.trace.Attribution.Source;
import org.lmdebugger.interpret.trace.AttributionOptions.NeuronOrder;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Site;
import org.lmdebugger.model.TokenLogit;

/**
 * Divides the residual stream of one position of a run into parts, and reads each part's effect on a logit. The numbers
 * of the run are single precision, and so are the effects of single neurons; all else that is computed from them here is
 * double.
 */
public final class Attributor {
    private final Gpt2 model;
    private final Activations run;
    private final Intervention edits;
    private final int position;
    private final LogitReadout readout;
    private final double[] stream; // before the final LayerNorm
    private final double[] reader; // g: a part's direct effect is its product with it
    private final List<Component> components = new ArrayList<>();
    private final List<double[]> parts = new ArrayList<>(); // of the residual stream, by component
    private final Map<Component, List<Source>> sources = new HashMap<>();

    private Attributor(Activations run, Intervention edits, int position, LogitReadout readout) {
        model = run.model();
        this.run = run;
        this.edits = edits;
        this.position = position;
        this.readout = readout;
        stream = row(Site.RESIDUAL_POST, model.config().layers() - 1);
        reader = readout.reader(stream);
    }

    /**
     * Returns the attribution of a token's logit, or of a difference of two, without total effects.
     *
     * @param run      of a prompt under {@code edits}, with every site kept
     * @param against  the token whose logit is subtracted, if any
     * @param options  how many promoted tokens and neurons are listed, and in which order neurons are
     */
    public static Attribution attribute(Activations run, Intervention edits, int position, Trace.Token target,
            Optional<Trace.Token> against, AttributionOptions options) {
        var logits = logits(run, position);
        double logit = logits[target.id()] - against.map(token -> (double) logits[token.id()]).orElse(0.0);
        var attributor = new Attributor(run, edits, position, LogitReadout.of(run.model(), target, against));
        attributor.divide();
        return new Attribution(position, target, against, logit, attributor.contributions(options));
    }

    /** Returns the logits that the network computes at a position of a run. */
    private static float[] logits(Activations run, int position) {
        var model = run.model();
        try (var scope = new TensorScope(model.device())) {
            var x = run.residualPost(model.config().layers() - 1).row(position);
            var logits = scope.allocate(ElementType.F32, 1, model.config().vocabularySize());
            var normed = scope.allocate(ElementType.F32, 1, x.columns());
            model.call(session -> {
                model.readLogits(session, logits, x, normed);
                return null;
            });
            return logits.toFloats();
        }
    }

    private void divide() {
        add(new Component(Kind.TOKEN, -1, -1), doubles(model.tokenEmbedding().row(run.ids()[position])));
        add(new Component(Kind.POSITION, -1, -1), doubles(model.positionEmbedding().row(position)));
        var before = sum(parts);
        for (int l = 0; l < model.config().layers(); l++) {
            int first = parts.size();
            divideIntoHeads(l);
            add(new Component(Kind.ATTENTION_BIAS, l, -1), doubles(model.layer(l).attentionBias()));
            add(new Component(Kind.FFN, l, -1), row(Site.FFN_OUT, l));
            add(new Component(Kind.FFN_BIAS, l, -1), doubles(model.layer(l).ffnOutBias()));
            var after = row(Site.RESIDUAL_POST, l);
            if (isStreamEdited(l)) {
                add(new Component(Kind.EDITS, l, -1),
                        difference(difference(after, before), sum(parts.subList(first, parts.size()))));
            }
            before = after;
        }
    }

    private void add(Component component, double[] part) {
        components.add(component);
        parts.add(part);
    }

    /** Returns whether an edit changes the residual stream in a layer by itself, beside the parts of the layer. */
    private boolean isStreamEdited(int layer) {
        return isEdited(part -> part instanceof Residual(int l, Residual.Point point) && l == layer
                && point != Residual.Point.FFN);
    }

    private boolean isFfnEdited(int layer) {
        return isEdited(new Residual(layer, Residual.Point.FFN)::equals);
    }

    private boolean isMixEdited(int layer, int head) {
        return isEdited(part -> part instanceof Head(int l, int h, Head.Vector vector) && l == layer
                && (h == Head.ALL || h == head) && vector == Head.Vector.Z);
    }

    /** Returns whether an edit of such a part holds at the position. */
    private boolean isEdited(Predicate<Part> part) {
        return edits.list().stream()
                .anyMatch(edit -> part.test(edit.part()) && edit.positions().contains(position, run.length()));
    }

    /** Adds each head's mixed values times its rows of the output weights, and its sources. */
    private void divideIntoHeads(int layer) {
        int heads = model.config().heads();
        int width = model.config().width() / heads;
        var z = row(Site.Z, layer);
        var weights = model.layer(layer).attentionOut().toFloats(); // [d, d]
        var values = run.values(layer).rows(0, position + 1L);
        var norms = norms(layer, values);
        var valueNumbers = values.toFloats();
        try (var pattern = run.pattern(layer, position)) {
            var attention = pattern.toFloats(); // [H, T]
            for (int h = 0; h < heads; h++) {
                var component = new Component(Kind.HEAD, layer, h);
                var read = new double[width]; // W_O·g
                var part = new double[stream.length];
                for (int i = 0; i < width; i++) {
                    int row = (h * width + i) * stream.length;
                    for (int j = 0; j < stream.length; j++) {
                        part[j] += z[h * width + i] * weights[row + j];
                        read[i] += weights[row + j] * reader[j];
                    }
                }
                add(component, part);
                if (!isMixEdited(layer, h)) {
                    var from = new ArrayList<Source>();
                    for (int s = 0; s <= position; s++) {
                        double direct = 0;
                        for (int i = 0; i < width; i++) {
                            direct += valueNumbers[s * stream.length + h * width + i] * read[i];
                        }
                        double weight = attention[h * run.length() + s];
                        from.add(new Source(s, weight, weight * norms[h][s], weight * direct));
                    }
                    sources.put(component, List.copyOf(from));
                }
            }
        }
    }

    /** Returns ‖v·W_O‖₂ of each head and position. */
    private float[][] norms(int layer, Tensor values) {
        int heads = model.config().heads();
        int width = model.config().width() / heads;
        var norms = new float[heads][];
        try (var scope = new TensorScope(model.device())) {
            var out = scope.allocate(ElementType.F32, values.rows(), values.columns());
            var ofRows = scope.allocate(ElementType.F32, 1, values.rows());
            model.call(session -> {
                for (int h = 0; h < heads; h++) {
                    session.multiply(out, values.columns((long) h * width, width),
                            model.layer(layer).attentionOut().rows((long) h * width, width));
                    session.rowNorms(ofRows, out);
                    norms[h] = new float[position + 1];
                    session.download(norms[h], ofRows);
                }
                return null;
            });
        }
        return norms;
    }

    private List<Contribution> contributions(AttributionOptions options) {
        var tokens = options.promoted() == 0 ? Map.<Component, List<TokenLogit>>of() : promoted(options.promoted());
        var effects = options.neurons() == 0 ? Map.<Component, List<NeuronEffect>>of()
                : neurons(options.neurons(), options.by());
        double logit = readout.logit(stream);
        var contributions = new ArrayList<Contribution>();
        for (int i = 0; i < components.size(); i++) {
            var component = components.get(i);
            contributions.add(new Contribution(component, dot(parts.get(i), reader),
                    logit - readout.logit(difference(stream, parts.get(i))), OptionalDouble.empty(),
                    sources.getOrDefault(component, List.of()), tokens.getOrDefault(component, List.of()),
                    effects.getOrDefault(component, List.of())));
        }
        double bias = readout.biasLogit();
        contributions.add(new Contribution(new Component(Kind.FINAL_BIAS, -1, -1), bias, bias, OptionalDouble.empty(),
                List.of(), List.of(), List.of()));
        return List.copyOf(contributions);
    }

    private Map<Component, List<TokenLogit>> promoted(int count) {
        var heads = IntStream.range(0, parts.size()).filter(i -> components.get(i).kind() == Kind.HEAD).toArray();
        var rows = new float[heads.length * stream.length];
        for (int i = 0; i < rows.length; i++) {
            rows[i] = (float) parts.get(heads[i / stream.length])[i % stream.length];
        }
        try (var scope = new TensorScope(model.device())) {
            var outputs = scope.allocate(ElementType.F32, heads.length, stream.length);
            model.call(session -> {
                session.upload(outputs, rows);
                return null;
            });
            var tokens = Lens.raw(model).tokens(outputs, count);
            var promoted = new HashMap<Component, List<TokenLogit>>();
            for (int i = 0; i < heads.length; i++) {
                promoted.put(components.get(heads[i]), tokens.get(i));
            }
            return promoted;
        }
    }

    /** Returns the strongest neurons of each feed-forward layer whose output is the sum of its value vectors. */
    private Map<Component, List<NeuronEffect>> neurons(int count, NeuronOrder order) {
        int width = model.config().feedForwardWidth();
        var strongest = new HashMap<Component, List<NeuronEffect>>();
        try (var scope = new TensorScope(model.device())) {
            var g = scope.allocate(ElementType.F32, 1, stream.length);
            var direct = scope.allocate(ElementType.F32, 1, width);
            model.call(session -> {
                session.upload(g, floats(reader));
                var all = scope.vector(session, IntStream.range(0, width).toArray());
                for (int l = 0; l < model.config().layers(); l++) {
                    if (!isFfnEdited(l)) {
                        var m = run.coefficients(l).row(position);
                        session.contributions(direct, all, m, model.layer(l).ffnOut(), g);
                        var coefficients = new float[width];
                        var effects = new float[width];
                        session.download(coefficients, m);
                        session.download(effects, direct);
                        strongest.put(new Component(Kind.FFN, l, -1),
                                strongest(l, coefficients, effects, count, order));
                    }
                }
                return null;
            });
        }
        return strongest;
    }

    private static List<NeuronEffect> strongest(int layer, float[] coefficients, float[] effects, int count,
            NeuronOrder order) {
        var sizes = switch (order) {
            case DIRECT -> effects;
            case COEFFICIENT -> coefficients;
        };
        return IntStream.range(0, sizes.length).boxed().sorted(Comparator.comparingDouble(i -> -Math.abs(sizes[i])))
                .limit(count).map(i -> new NeuronEffect(new Neuron(layer, i), coefficients[i], effects[i])).toList();
    }

    private static float[] floats(double[] vector) {
        var floats = new float[vector.length];
        for (int j = 0; j < floats.length; j++) {
            floats[j] = (float) vector[j];
        }
        return floats;
    }

    private double[] row(Site site, int layer) {
        return doubles(run.at(site, layer).row(position));
    }

    private static double[] doubles(Tensor row) {
        return LogitReadout.doubles(row);
    }

    private double[] sum(List<double[]> vectors) {
        var sum = new double[stream.length];
        for (var vector : vectors) {
            for (int j = 0; j < sum.length; j++) {
                sum[j] += vector[j];
            }
        }
        return sum;
    }

    private static double[] difference(double[] a, double[] b) {
        return IntStream.range(0, a.length).mapToDouble(j -> a[j] - b[j]).toArray();
    }

    private static double dot(double[] a, double[] b) {
        double sum = 0;
        for (int j = 0; j < a.length; j++) {
            sum += a[j] * b[j];
        }
        return sum;
    }
}
