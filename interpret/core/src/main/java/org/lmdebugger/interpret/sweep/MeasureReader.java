package org.lmdebugger.interpret.sweep;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.LogitStatistics;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.text.Shown;

/**
 * Reads rows of the residual stream as the measures of a sweep; only those leave the device. Logits, by far the widest
 * of what a sweep computes, are there for a tile of rows at a time.
 */
final class MeasureReader {
    static final int TILE = 256;

    private final Gpt2 model;
    private final Layout layout;
    private final Tensor clean; // [1, V]; null unless KL is measured
    private final Tensor head; // [V, d], or [c, d] if only chosen logits are wanted
    private final Tensor tokens; // [1, c]; null if there are none
    private final Tensor logits; // [tile, V]; null if only chosen ones are wanted
    private final Tensor logSumExp; // [1, S], null if not wanted, and so on
    private final Tensor entropy;
    private final Tensor kl;
    private final Tensor chosen; // [S, c]
    private final Tensor ranks; // [S, c]
    private final Tensor topIds; // [S, k]
    private final Tensor topLogits; // [S, k]
    private final Map<Measure, Tensor> own = new HashMap<>(); // [S, 1], of measures on the device

    /** The parts of the logits that the measures of one prompt need. */
    static final class Layout {
        private final Gpt2 model;
        private final Sweep sweep;
        private final int prompt;
        private final List<Measure> measures;
        private final List<Integer> tokens = new ArrayList<>();
        private final int vocabulary;
        private final int top; // 0 if not wanted
        private final boolean normalised;
        private final boolean ranked;
        private final boolean whole; // needs every logit

        /** @throws IllegalArgumentException if a measure does not fit the model, or needs a target that the prompt lacks */
        Layout(Gpt2 model, Sweep sweep, int prompt) {
            this.model = model;
            this.sweep = sweep;
            this.prompt = prompt;
            measures = sweep.measures();
            vocabulary = model.config().vocabularySize();
            var tops = measures.stream().filter(Measure.Top.class::isInstance).map(m -> ((Measure.Top) m).count())
                    .toList();
            if (tops.size() > 1 || measures.stream().distinct().count() < measures.size()) {
                throw new IllegalArgumentException(
                        "measures: %s (expected: each once, and one top at most)".formatted(Shown.of(measures)));
            }
            top = tops.isEmpty() ? 0 : tops.getFirst();
            if (top > vocabulary) {
                throw new IllegalArgumentException(
                        "measure: top:%d (expected: at most %d in this model)".formatted(top, vocabulary));
            }
            for (var measure : measures) {
                switch (measure) {
                    case Measure.OfToken of -> add(of, of.token());
                    case Measure.Difference of -> {
                        add(of, of.token());
                        add(of, of.other());
                    }
                    case Measure.Kl kl -> {}
                    case Measure.Entropy entropy -> {}
                    case Measure.Top list -> {}
                    case Measure.Own own -> {}
                    case Measure.OwnOnDevice own -> {}
                }
            }
            ranked = has(Measure.Quantity.RANK);
            normalised = top > 0 || ranked || has(Measure.Quantity.PROBABILITY)
                    || has(Measure.Quantity.LOG_PROBABILITY);
            whole = ranked || normalised || measures.stream().anyMatch(Measure.Own.class::isInstance)
                    || ownOnDevice().count() > 0
                    || measures.contains(Measure.kl()) || measures.contains(Measure.entropy());
        }

        private void add(Measure measure, Measure.Token token) {
            int id = id(token).orElseThrow(() -> new IllegalArgumentException(
                    "measure: %s: prompt %d, %s, has no %s (expected: one for each prompt)".formatted(Shown.of(measure),
                            prompt + 1,
                            Shown.of(sweep.prompts().get(prompt)), token)));
            if (!tokens.contains(id)) {
                tokens.add(id);
            }
        }

        private Optional<Integer> id(Measure.Token token) {
            var target = sweep.targets().get(prompt);
            Optional<Measure.Token.Fixed> fixed = switch (token) {
                case Measure.Token.Fixed itself -> Optional.of(itself);
                case Measure.Token.OfPrompt.TARGET -> target.token();
                case Measure.Token.OfPrompt.AGAINST -> target.against();
            };
            return fixed.map(each -> each.idIn(model.tokenizer()));
        }

        /** Returns the place of a measure's token among those that are computed. */
        int column(Measure.Token token) {
            return tokens.indexOf(id(token).orElseThrow());
        }

        private boolean has(Measure.Quantity quantity) {
            return measures.stream().anyMatch(m -> m instanceof Measure.OfToken of && of.quantity() == quantity);
        }

        private Stream<Measure> ownOnDevice() {
            return measures.stream().filter(Measure.OwnOnDevice.class::isInstance);
        }

        /** Columns of the head that are computed. */
        int columns() {
            return whole ? vocabulary : tokens.size();
        }

        /** Device memory of so many rows. */
        long bytes(long rows) {
            return 4L * (Math.min(rows, TILE) * (whole ? vocabulary : 0)
                    + rows * (3 + 2L * tokens.size() + 2L * top + ownOnDevice().count()));
        }
    }

    /** @param clean the prompt's own logits, [1, V]; null if KL is not measured */
    MeasureReader(Gpt2 model, Operations session, TensorScope scope, Layout layout, int rows, Tensor clean) {
        this.model = model;
        this.layout = layout;
        this.clean = clean;
        int c = layout.tokens.size();
        tokens = c == 0 ? null : scope.vector(session, layout.tokens.stream().mapToInt(id -> id).toArray());
        if (layout.whole) {
            head = model.head();
        } else {
            head = scope.allocate(model.head().type(), c, model.config().width());
            session.gatherRows(head, model.head(), tokens);
        }
        logits = layout.whole ? scope.allocate(ElementType.F32, Math.min(rows, TILE), layout.columns()) : null;
        logSumExp = layout.normalised ? scope.allocate(ElementType.F32, 1, rows) : null;
        entropy = layout.measures.contains(Measure.entropy()) ? scope.allocate(ElementType.F32, 1, rows) : null;
        kl = clean == null ? null : scope.allocate(ElementType.F32, 1, rows);
        chosen = c > 0 ? scope.allocate(ElementType.F32, rows, c) : null;
        ranks = layout.ranked ? scope.allocate(ElementType.I32, rows, c) : null;
        topIds = layout.top == 0 ? null : scope.allocate(ElementType.I32, rows, layout.top);
        topLogits = layout.top == 0 ? null : scope.allocate(ElementType.F32, rows, layout.top);
        layout.ownOnDevice().forEach(measure -> own.put(measure, scope.allocate(ElementType.F32, rows, 1)));
    }

    /**
     * Measures the rows of {@code x} [n, d] into {@code to} from row {@code at} on; {@code normed} [n, d] is scratch.
     */
    void read(Operations session, Tensor x, Tensor normed, Effects to, int at) {
        int n = (int) x.rows();
        var unknown = new float[n];
        Arrays.fill(unknown, Float.NaN);
        own.values().forEach(values -> session.upload(values.rows(0, n), unknown));
        if (layout.whole) {
            model.readLogits(session, x, normed, logits, (from, part) -> readTile(session, part, from, to, at));
        } else {
            model.readLogits(session, chosen.rows(0, n), x, normed, head);
        }
        var normaliser = floats(session, columns(logSumExp, 0, n));
        var tokenLogits = floats(session, rows(chosen, 0, n));
        var tokenRanks = new int[ranks == null ? 0 : n * layout.tokens.size()];
        if (ranks != null) {
            session.download(tokenRanks, ranks.rows(0, n));
        }
        for (int m = 0; m < layout.measures.size(); m++) {
            switch (layout.measures.get(m)) {
                case Measure.Kl measure -> to.put(m, at, floats(session, columns(kl, 0, n)));
                case Measure.Entropy measure -> to.put(m, at, floats(session, columns(entropy, 0, n)));
                case Measure.Own measure -> {} // tile by tile
                case Measure.OwnOnDevice measure -> to.put(m, at, floats(session, own.get(measure).rows(0, n)));
                case Measure.Top measure -> putTop(session, to, at, n, normaliser);
                case Measure.OfToken of -> to.put(m, at, ofToken(of, n, tokenLogits, tokenRanks, normaliser));
                case Measure.Difference of -> {
                    var logit = column(of.token(), n, tokenLogits);
                    var other = column(of.other(), n, tokenLogits);
                    for (int i = 0; i < n; i++) {
                        logit[i] -= other[i];
                    }
                    to.put(m, at, logit);
                }
            }
        }
    }

    private void readTile(Operations session, Tensor part, int from, Effects to, int at) {
        int count = (int) part.rows();
        session.measure(
                new LogitStatistics(tokens, clean, columns(logSumExp, from, count), columns(entropy, from, count),
                        columns(kl, from, count), rows(chosen, from, count), rows(ranks, from, count)),
                part);
        if (topIds != null) {
            session.topK(topIds.rows(from, count), topLogits.rows(from, count), part);
        }
        for (int m = 0; m < layout.measures.size(); m++) {
            switch (layout.measures.get(m)) {
                case Measure.OwnOnDevice measure ->
                        measure.function().measure(session, part.asReadOnly(), own.get(measure).rows(from, count));
                case Measure.Own(_, var function) -> to.put(m, at + from, own(session, function, part));
                default -> {}
            }
        }
    }

    private static float[] own(Operations session, Measure.OfLogits function, Tensor part) {
        var logits = floats(session, part);
        var values = new float[(int) part.rows()];
        for (int r = 0; r < values.length; r++) {
            int start = r * (int) part.columns();
            values[r] = function.measure(Arrays.copyOfRange(logits, start, start + (int) part.columns()));
        }
        return values;
    }

    private float[] ofToken(Measure.OfToken of, int n, float[] tokenLogits, int[] tokenRanks, float[] normaliser) {
        var values = column(of.token(), n, tokenLogits);
        int c = layout.tokens.size();
        int token = layout.column(of.token());
        for (int i = 0; i < n; i++) {
            values[i] = of.quantity() != Measure.Quantity.LOGIT && !Float.isFinite(normaliser[i]) ? Float.NaN
                    : switch (of.quantity()) {
                        case LOGIT -> values[i];
                        case PROBABILITY -> (float) Math.exp((double) values[i] - normaliser[i]);
                        case LOG_PROBABILITY -> values[i] - normaliser[i];
                        case RANK -> tokenRanks[i * c + token];
                    };
        }
        return values;
    }

    private float[] column(Measure.Token token, int n, float[] tokenLogits) {
        int c = layout.tokens.size();
        int at = layout.column(token);
        var values = new float[n];
        for (int i = 0; i < n; i++) {
            values[i] = tokenLogits[i * c + at];
        }
        return values;
    }

    private void putTop(Operations session, Effects to, int at, int n, float[] normaliser) {
        var ids = new int[n * layout.top];
        session.download(ids, topIds.rows(0, n));
        var probabilities = floats(session, topLogits.rows(0, n));
        for (int i = 0; i < probabilities.length; i++) {
            boolean finite = Float.isFinite(normaliser[i / layout.top]);
            ids[i] = finite ? ids[i] : -1;
            probabilities[i] = finite ? (float) Math.exp((double) probabilities[i] - normaliser[i / layout.top])
                    : Float.NaN;
        }
        to.putTop(at, ids, probabilities);
    }

    private static Tensor rows(Tensor tensor, int from, int n) {
        return tensor == null ? null : tensor.rows(from, n);
    }

    private static Tensor columns(Tensor tensor, int from, int n) {
        return tensor == null ? null : tensor.columns(from, n);
    }

    private static float[] floats(Operations session, Tensor tensor) {
        var to = new float[tensor == null ? 0 : Math.toIntExact(tensor.rows() * tensor.columns())];
        if (tensor != null) {
            session.download(to, tensor);
        }
        return to;
    }
}
