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
public final class MeasureReader {
    private final Gpt2 model;
    private final Layout layout;
    private final Tensor clean; // [1, V], of the run that KL is measured from; null unless it is
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
    public static final class Layout {
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
        private final long rowBytes; // of the numbers of a row, beside its logits

        /** @throws IllegalArgumentException if a measure does not fit the model, or needs a target that the prompt lacks */
        public Layout(Gpt2 model, Sweep sweep, int prompt) {
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
            rowBytes = 4 * (3 + 2L * tokens.size() + 2L * top + ownOnDevice().count());
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
            return 4L * Math.min(rows, model.device().traits().logitRows()) * (whole ? vocabulary : 0)
                    + rows * rowBytes;
        }
    }

    /**
     * A reader whose memory is freed with {@code scope}.
     *
     * @param rows  at most as many are read at a time
     * @param clean the prompt's own logits, [1, V], which a reading of its own row fills; null if KL is not measured
     */
    public MeasureReader(Gpt2 model, Operations session, TensorScope scope, Layout layout, int rows, Tensor clean) {
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
        logits = layout.whole ? model.allocateLogits(scope, Math.min(rows, model.device().traits().logitRows())) : null;
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
     * Measures the rows of {@code x} [n, d] into {@code to} from row {@code at} on; {@code normed} [n, d] is scratch. KL is
     * measured from the prompt's own logits or, where there are rows without edits, from the last of these before a row.
     *
     * @param unedited indices of the rows without edits, ascending; they are no effects. If there are any, the first row is
     *                 one, and the prompt's own logits are overwritten
     */
    void read(Operations session, Tensor x, Tensor normed, List<Integer> unedited, Effects to, int at) {
        put(measured(session, x, normed, unedited), unedited, (int) x.rows(), to, at);
    }

    /** Returns the measures of the rows of {@code x} [n, d]; lists have none. {@code normed} [n, d] is scratch. */
    public List<float[]> read(Operations session, Tensor x, Tensor normed) {
        return Arrays.asList(measured(session, x, normed, List.of()).values());
    }

    /** Returns the measures of the prompt's own row {@code x} [1, d]; keeps its logits, from which KL is measured. */
    public List<float[]> readClean(Operations session, Tensor x, Tensor normed) {
        return Arrays.asList(measured(session, x, normed, clean == null ? List.of() : List.of(0)).values());
    }

    /** Measures the prompt's own row {@code x} [1, d] into {@code to}; keeps its logits, from which KL is measured. */
    void readClean(Operations session, Tensor x, Tensor normed, Effects to) {
        put(measured(session, x, normed, clean == null ? List.of() : List.of(0)), List.of(), 1, to, 0);
    }

    /**
     * Measures of n rows.
     *
     * @param values        by measure, of each row; null of those that are lists
     * @param ids           of the likeliest tokens of each row
     * @param probabilities of these
     */
    private record Numbers(float[][] values, int[] ids, float[] probabilities) {
    }

    private Numbers measured(Operations session, Tensor x, Tensor normed, List<Integer> unedited) {
        int n = (int) x.rows();
        var numbers = new float[layout.measures.size()][];
        var unknown = new float[n];
        Arrays.fill(unknown, Float.NaN);
        own.values().forEach(values -> session.upload(values.rows(0, n), unknown));
        if (layout.whole) {
            model.readLogits(session, x, normed, logits,
                    (from, part) -> readTile(session, part, from, unedited, n, numbers));
        } else {
            model.readLogits(session, chosen.rows(0, n), x, normed, head);
        }
        var normaliser = floats(session, columns(logSumExp, 0, n));
        var tokenLogits = floats(session, rows(chosen, 0, n));
        var bestLogits = floats(session, rows(topLogits, 0, n));
        var best = ints(session, rows(topIds, 0, n));
        var tokenRanks = ints(session, rows(ranks, 0, n));
        for (int m = 0; m < numbers.length; m++) {
            switch (layout.measures.get(m)) {
                case Measure.Kl measure -> numbers[m] = floats(session, columns(kl, 0, n));
                case Measure.Entropy measure -> numbers[m] = floats(session, columns(entropy, 0, n));
                case Measure.OwnOnDevice measure -> numbers[m] = floats(session, own.get(measure).rows(0, n));
                default -> {}
            }
        }
        session.await();
        for (int m = 0; m < numbers.length; m++) {
            switch (layout.measures.get(m)) {
                case Measure.Top measure -> normalise(best, bestLogits, normaliser);
                case Measure.OfToken of -> numbers[m] = ofToken(of, n, tokenLogits, tokenRanks, normaliser);
                case Measure.Difference of -> {
                    numbers[m] = column(of.token(), n, tokenLogits);
                    var other = column(of.other(), n, tokenLogits);
                    for (int i = 0; i < n; i++) {
                        numbers[m][i] -= other[i];
                    }
                }
                default -> {}
            }
        }
        return new Numbers(numbers, best, bestLogits);
    }

    /** Gives the numbers of n rows, but for those without edits, to the effects from {@code at} on. */
    private void put(Numbers numbers, List<Integer> unedited, int n, Effects to, int at) {
        var values = numbers.values();
        int row = 0;
        for (int i = 0; i <= unedited.size(); i++) {
            int end = i < unedited.size() ? unedited.get(i) : n;
            for (int m = 0; m < values.length; m++) {
                if (values[m] != null) {
                    to.put(m, at + row - i, Arrays.copyOfRange(values[m], row, end));
                }
            }
            to.putTop(at + row - i, Arrays.copyOfRange(numbers.ids(), row * layout.top, end * layout.top),
                    Arrays.copyOfRange(numbers.probabilities(), row * layout.top, end * layout.top));
            row = end + 1;
        }
    }

    private void readTile(Operations session, Tensor part, int first, List<Integer> unedited, int n,
            float[][] numbers) {
        int count = (int) part.rows();
        int from = 0;
        for (int row : unedited) {
            if (row >= first && row < first + count) {
                measure(session, part.rows(from, row - first - from), first + from);
                from = row - first;
                session.copy(clean, part.row(from));
            }
        }
        measure(session, part.rows(from, count - from), first + from);
        if (topIds != null) {
            session.topK(topIds.rows(first, count), topLogits.rows(first, count), part);
        }
        for (int m = 0; m < numbers.length; m++) {
            switch (layout.measures.get(m)) {
                case Measure.OwnOnDevice measure ->
                        measure.function().measure(session, part.asReadOnly(), own.get(measure).rows(first, count));
                case Measure.Own(_, var function) -> {
                    numbers[m] = numbers[m] == null ? new float[n] : numbers[m];
                    System.arraycopy(own(session, function, part), 0, numbers[m], first, count);
                }
                default -> {}
            }
        }
    }

    private void measure(Operations session, Tensor rows, int from) {
        int count = (int) rows.rows();
        if (count > 0) {
            session.measure(new LogitStatistics(tokens, clean, columns(logSumExp, from, count),
                    columns(entropy, from, count), columns(kl, from, count), rows(chosen, from, count),
                    rows(ranks, from, count)), rows);
        }
    }

    private static float[] own(Operations session, Measure.OfLogits function, Tensor part) {
        var logits = floats(session, part);
        session.await();
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

    /** Makes logits probabilities; where these are not finite, there are neither probabilities nor ids. */
    private void normalise(int[] ids, float[] logits, float[] normaliser) {
        for (int i = 0; i < logits.length; i++) {
            float sum = normaliser[i / layout.top];
            ids[i] = Float.isFinite(sum) ? ids[i] : -1;
            logits[i] = Float.isFinite(sum) ? (float) Math.exp((double) logits[i] - sum) : Float.NaN;
        }
    }

    private static Tensor rows(Tensor tensor, int from, int n) {
        return tensor == null ? null : tensor.rows(from, n);
    }

    private static Tensor columns(Tensor tensor, int from, int n) {
        return tensor == null ? null : tensor.columns(from, n);
    }

    /** Returns numbers that are there after {@link Operations#await}; none of a tensor that is not wanted. */
    private static float[] floats(Operations session, Tensor tensor) {
        var to = new float[tensor == null ? 0 : Math.toIntExact(tensor.rows() * tensor.columns())];
        if (tensor != null) {
            session.fetch(to, tensor);
        }
        return to;
    }

    private static int[] ints(Operations session, Tensor tensor) {
        var to = new int[tensor == null ? 0 : Math.toIntExact(tensor.rows() * tensor.columns())];
        if (tensor != null) {
            session.fetch(to, tensor);
        }
        return to;
    }
}
