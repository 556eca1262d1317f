package org.lmdebugger.interpret.activations;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;
import org.lmdebugger.checkpoint.InvalidModelException;
import org.lmdebugger.checkpoint.MatrixFile;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.interpret.activations.CompiledIntervention.Affine;
import org.lmdebugger.interpret.activations.CompiledIntervention.LayerChange;
import org.lmdebugger.interpret.activations.CompiledIntervention.PatternStep;
import org.lmdebugger.interpret.activations.CompiledIntervention.RowChange;
import org.lmdebugger.interpret.activations.CompiledIntervention.RowStep;
import org.lmdebugger.interpret.edit.Direction;
import org.lmdebugger.interpret.edit.Edit;
import org.lmdebugger.interpret.edit.Edit.Operation;
import org.lmdebugger.interpret.edit.Head;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.Link;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.edit.Part;
import org.lmdebugger.interpret.edit.Positions;
import org.lmdebugger.interpret.edit.Residual;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Prompt;
import org.lmdebugger.model.Site;
import org.lmdebugger.text.Shown;

/**
 * Turns edits into what they do to a prompt: checks them, and looks up what they take from other runs. What it makes of
 * them uses device memory that ends with {@link #close()}.
 */
public final class Resolver implements AutoCloseable {
    private final Gpt2 model;
    private final References references;
    private final int[] prompt;
    private final int length; // positions that will be computed: the prompt's, and generated ones
    private final TensorScope scope;
    private final Map<Prompt, int[]> prompts = new HashMap<>(); // ids
    private final CleanRuns runs;
    private final boolean ownsRuns;
    private final CleanRuns texts; // runs of corpora's texts
    private final Set<Site> taken = EnumSet.noneOf(Site.class); // that runs of other prompts and texts keep
    private final Map<Source, Tensor> tensors = new HashMap<>(); // that edits take vectors from
    private final Map<Source, float[]> numbers = new HashMap<>(); // that edits take from, on the host
    private final Map<MeanKey, float[][]> means = new HashMap<>(); // [1, n], or [positions, n]
    private final Map<float[][], Tensor> uploaded = new IdentityHashMap<>();
    private final Map<PatternKey, float[]> patterns = new HashMap<>(); // [H·T, T]
    private final Map<Integer, Float> valuesWhenOn = new HashMap<>(); // by layer
    private final Map<VectorKey, Tensor> vectors = new HashMap<>(); // [1, n]

    private record Source(Activations run, Site site, int layer) {
    }

    private record PatternKey(Activations run, int layer) {
    }

    private record VectorKey(Object what, int width) {
    }

    private record MeanKey(Operation.Mean operation, Site site, int layer) {
    }

    /**
     * @param references that edits take means and samples from
     * @param length     of the positions that are computed: the prompt's, and generated ones
     */
    public Resolver(Gpt2 model, References references, int[] prompt, int length) {
        this(model, references, prompt, length, new CleanRuns(model), true);
    }

    /** @param runs that others read, too, and the caller closes */
    public Resolver(Gpt2 model, References references, int[] prompt, CleanRuns runs) {
        this(model, references, prompt, prompt.length, runs, false);
    }

    private Resolver(Gpt2 model, References references, int[] prompt, int length, CleanRuns runs, boolean ownsRuns) {
        this.model = model;
        this.references = references;
        this.prompt = prompt;
        this.length = length;
        this.runs = runs;
        this.ownsRuns = ownsRuns;
        texts = new CleanRuns(model);
        scope = new TensorScope(model.device());
    }

    /**
     * Checks edits as {@link #resolve} does, but computes no run.
     *
     * @throws IllegalArgumentException if one of them does not fit the model or the prompt
     */
    public void check(Intervention edits) {
        edits.list().forEach(this::check);
        edits.list().forEach(this::sourceIds);
        resolve(new Intervention(edits.list().stream().filter(edit -> !readsRun(edit.operation())).toList()));
    }

    private static boolean readsRun(Operation operation) {
        return operation instanceof Operation.From || operation instanceof Operation.Resample
                || operation instanceof Operation.On;
    }

    /**
     * Returns the sites of another run that an edit takes numbers from. The weights of a pattern are computed
     * anew, from queries and keys.
     */
    public static Set<Site> sitesTaken(Edit edit) {
        return switch (edit.operation()) {
            case Operation.From _,Operation.Resample _ ->
                    edit.part() instanceof Head(int _, int _, Head.Vector vector) && vector == Head.Vector.PATTERN
                            ? Set.of(Site.QUERY, Site.KEY)
                            : Set.of(edit.part().site());
            default -> Set.of();
        };
    }

    /** Has runs of other prompts and texts keep these sites, too, for edits that are resolved later: then each is computed once. */
    public void keep(Set<Site> sites) {
        taken.addAll(sites);
    }

    public CompiledIntervention resolve(Intervention edits) {
        edits.list().forEach(this::check); // before anything is computed
        edits.list().forEach(edit -> keep(sitesTaken(edit)));
        var intervention = new CompiledIntervention(prompt.length);
        edits.list().forEach(edit -> add(intervention, edit));
        checkAttention(intervention, edits);
        return intervention;
    }

    private void check(Edit edit) {
        checkNumbers(edit.part());
        if (edit.positions() instanceof Positions.Ranges at && at.last() >= length) {
            throw new IllegalArgumentException("edit: %s: position %d (expected: at most %d)"
                    .formatted(Shown.of(edit), at.last(), length - 1));
        }
        if (edit.part() instanceof Link link) {
            check(edit, link);
        }
    }

    private void checkNumbers(Part part) {
        var config = model.config();
        int last = config.layers() - 1;
        boolean layer = part.layer() <= last;
        switch (part) {
            case Neuron neuron when !layer || neuron.neuron() >= config.feedForwardWidth() ->
                    throw new IllegalArgumentException("edit: %s (expected: L0 to L%d and D0 to D%d in this model)"
                            .formatted(part, last, config.feedForwardWidth() - 1));
            case Head head when !layer || head.head() >= config.heads() -> throw noHead(part);
            case Link link when !layer || link.head() >= config.heads() -> throw noHead(part);
            case Residual _ when !layer -> throw new IllegalArgumentException(
                    "edit: %s (expected: L0 to L%d in this model)".formatted(part, last));
            default -> {}
        }
    }

    private IllegalArgumentException noHead(Part part) {
        return new IllegalArgumentException("edit: %s (expected: L0 to L%d and H0 to H%d in this model)"
                .formatted(part, model.config().layers() - 1, model.config().heads() - 1));
    }

    /** A link from a query to a later key does not exist. */
    private void check(Edit edit, Link link) {
        var before = IntStream.range(0, Math.min(link.key(), length))
                .filter(p -> edit.positions().contains(p, prompt.length)).findFirst();
        boolean named = edit.positions() instanceof Positions.Named;
        if (link.key() >= length || before.isPresent() && !named
                || named && IntStream.range(link.key(), length)
                        .noneMatch(p -> edit.positions().contains(p, prompt.length))) {
            throw new IllegalArgumentException("edit: %s (expected: a key that is not after its query, of %d positions)"
                    .formatted(Shown.of(edit), length));
        }
    }

    /** A query must attend to something. */
    private void checkAttention(CompiledIntervention intervention, Intervention edits) {
        var links = edits.list().stream().map(Edit::part).filter(Link.class::isInstance).map(Link.class::cast).toList();
        for (var link : links) {
            for (int p = 0; p < Math.min(length, links.size()); p++) { // later positions have more keys than there are links
                if (intervention.keysOff(link.layer(), link.head(), p).size() > p) {
                    throw new IllegalArgumentException(
                            "edits: %s: position %d attends to nothing (expected: one link at least that stays)"
                                    .formatted(link, p));
                }
            }
        }
    }

    private void add(CompiledIntervention intervention, Edit edit) {
        var config = model.config();
        int d = config.width();
        switch (edit.part()) {
            case Neuron(int layer, int neuron) -> {
                var change = coefficients(edit);
                intervention.add(layer, neuron, edit.positions(), position -> change.at(position, neuron));
            }
            case Link link -> intervention.add(link.layer(), new PatternStep(link.head(), edit.positions(), link.key(),
                    p -> new float[0]));
            case Head head when head.vector() == Head.Vector.PATTERN -> addPattern(intervention, edit, head);
            case Head head -> {
                int width = head.head() == Head.ALL ? d : d / config.heads();
                int column = head.head() == Head.ALL ? 0 : head.head() * width;
                intervention.add(head.site(), head.layer(),
                        new RowStep(edit.positions(), change(edit, head.site(), column, width, null)));
            }
            case Residual residual -> intervention.add(residual.site(), residual.layer(),
                    new RowStep(edit.positions(), change(edit, residual.site(), 0, d, bias(residual))));
        }
    }

    /** Returns the bias of an output, which its site does not hold yet; null for the residual stream. */
    private Tensor bias(Residual residual) {
        var layer = model.layer(residual.layer());
        return switch (residual.point()) {
            case ATTENTION -> layer.attentionBias();
            case FFN -> layer.ffnOutBias();
            default -> null;
        };
    }

    /** @param bias what the part has beside the row's own numbers; null for nothing */
    private RowChange change(Edit edit, Site site, int column, int width, Tensor bias) {
        return switch (edit.operation()) {
            case Operation.Set _ -> scale(0, column, width, bias);
            case Operation.Scale(float factor) -> scale(factor, column, width, bias);
            case Operation.From _,Operation.Resample _ -> {
                var source = tensors.computeIfAbsent(new Source(source(edit), site, edit.layer()),
                        key -> key.run().at(site, key.layer()));
                yield new RowChange(column, width, 0, 1, 0, 0, source, position -> position, column);
            }
            case Operation.Mean mean -> {
                var rows = rows(means(edit, mean, site));
                yield new RowChange(column, width, 0, 1, 0, 0, rows, mean.atPosition() ? position -> position
                        : position -> 0, column);
            }
            case Operation.AddDirection(float factor, boolean timesNorm, var direction) -> {
                var vector = vector(direction, width);
                yield new RowChange(column, width, 1, timesNorm ? 0 : factor, timesNorm ? factor : 0, 0, vector,
                        position -> 0, 0);
            }
            case Operation.ProjectOut(var direction) -> {
                var vector = vector(direction, width);
                double square = 0;
                for (float number : vector.toFloats()) {
                    square += (double) number * number;
                }
                if (square == 0) {
                    throw new IllegalArgumentException("edit: %s (expected: a direction that is not zero)"
                            .formatted(Shown.of(edit)));
                }
                yield new RowChange(column, width, 1, 0, 0, (float) (-1 / square), vector, position -> 0, 0);
            }
            default -> throw new AssertionError(edit); // Edit's constructor allows no other
        };
    }

    /** Returns mean rows on the device. */
    private Tensor rows(float[][] means) {
        return uploaded.computeIfAbsent(means, key -> {
            var tensor = scope.allocate(ElementType.F32, means.length, means[0].length);
            model.call(session -> {
                for (int row = 0; row < means.length; row++) {
                    session.upload(tensor.row(row), means[row]);
                }
                return null;
            });
            return tensor;
        });
    }

    /**
     * Returns the mean row of a site over all tokens, or the mean row of each position, as far as this prompt and the corpus
     * have it.
     */
    private float[][] means(Edit edit, Operation.Mean mean, Site site) {
        var corpus = references.find(mean.corpus());
        if (mean.atPosition()) {
            checkPositions(edit, corpus.positions(), "corpus " + mean.corpus());
        }
        return means.computeIfAbsent(new MeanKey(mean, site, edit.layer()), key -> mean.atPosition()
                ? IntStream.range(0, Math.min(length, corpus.positions()))
                        .mapToObj(position -> corpus.meanAt(site, key.layer(), position)).toArray(float[][]::new)
                : new float[][] {corpus.mean(site, key.layer())});
    }

    /** factor·(w + bias) − bias: a site holds an output without its bias. */
    private RowChange scale(float factor, int column, int width, Tensor bias) {
        var vector = bias == null ? vector("zero", width, () -> new float[width]) : vector(bias, width, bias::toFloats);
        return new RowChange(column, width, factor, bias == null ? 0 : factor - 1, 0, 0, vector, position -> 0, 0);
    }

    private Tensor vector(Direction direction, int width) {
        return vector(direction, width, () -> {
            var numbers = switch (direction) {
                case Direction.ValueVector(var neuron) -> {
                    checkNumbers(neuron);
                    yield model.layer(neuron.layer()).ffnOut().row(neuron.neuron()).toFloats();
                }
                case Direction.TokenText(var text) -> embedding(model.tokenizer().single(text));
                case Direction.TokenId(int id) -> {
                    model.tokenizer().raw(id); // throws for an id that is none
                    yield embedding(id);
                }
                case Direction.FileRow row -> row(row);
            };
            if (numbers.length != width) {
                throw new IllegalArgumentException("direction: %s: %d numbers (expected: %d, as this part has)"
                        .formatted(Shown.of(direction), numbers.length, width));
            }
            return numbers;
        });
    }

    private static float[] row(Direction.FileRow row) {
        try {
            return MatrixFile.row(Path.of(row.file()), row.tensor(), row.row());
        } catch (InvalidModelException failure) {
            throw new IllegalArgumentException("direction: " + failure.getMessage(), failure);
        }
    }

    private float[] embedding(int id) {
        return model.tokenEmbedding().row(id).toFloats();
    }

    private Tensor vector(Object what, int width, Numbers numbers) {
        return vectors.computeIfAbsent(new VectorKey(what, width), key -> {
            var read = numbers.read();
            var tensor = scope.allocate(ElementType.F32, 1, read.length);
            model.call(session -> {
                session.upload(tensor, read);
                return null;
            });
            return tensor;
        });
    }

    private interface Numbers {
        float[] read();
    }

    private void addPattern(CompiledIntervention intervention, Edit edit, Head head) {
        var run = source(edit);
        int heads = model.config().heads();
        int own = run.length();
        var all = patterns.computeIfAbsent(new PatternKey(run, head.layer()), key -> {
            try (var pattern = run.pattern(head.layer())) {
                return pattern.toFloats();
            }
        });
        IntStream.range(0, heads).filter(h -> head.head() == Head.ALL || head.head() == h)
                .forEach(h -> intervention.add(head.layer(), new PatternStep(h, edit.positions(), -1, position -> {
                    int from = (h * own + position) * own;
                    return Arrays.copyOfRange(all, from, from + position + 1);
                })));
    }

    /** Returns what an edit of a neuron does at its positions, and would do to each neuron of the layer. */
    public LayerChange change(Edit edit) {
        check(edit);
        keep(sitesTaken(edit));
        return coefficients(edit);
    }

    private LayerChange coefficients(Edit edit) {
        return switch (edit.operation()) {
            case Operation.Set set -> always(new Affine(0, set.value()));
            case Operation.Scale scale -> always(new Affine(scale.factor(), 0));
            case Operation.Add add -> always(new Affine(1, add.amount()));
            case Operation.From _,Operation.Resample _ -> {
                int width = model.config().feedForwardWidth();
                var values = numbers.computeIfAbsent(new Source(source(edit), Site.COEFFICIENTS, edit.layer()),
                        key -> key.run().coefficients(key.layer()).toFloats());
                yield (position, neuron) -> new Affine(0, values[position * width + neuron]);
            }
            case Operation.Mean mean -> {
                var rows = means(edit, mean, Site.COEFFICIENTS);
                yield (position, neuron) -> new Affine(0, rows[mean.atPosition() ? position : 0][neuron]);
            }
            case Operation.On _ -> always(new Affine(0, valuesWhenOn.computeIfAbsent(edit.layer(), this::valueWhenOn)));
            case Operation.Off _ -> always(new Affine(0, 0)); // GELU(0)
            default -> throw new AssertionError(edit); // Edit's constructor allows no other
        };
    }

    private static LayerChange always(Affine change) {
        return (position, neuron) -> change;
    }

    /** Returns the run of another prompt or of a corpus' text, which must have the positions of the edit. */
    private Activations source(Edit edit) {
        var ids = sourceIds(edit).orElseThrow();
        return edit.operation() instanceof Operation.From(_, var under) ? runs.of(ids, under, references, taken)
                : texts.of(ids, taken);
    }

    /** Returns the ids of the prompt or text that an edit takes numbers from, if it does. */
    private Optional<int[]> sourceIds(Edit edit) {
        return switch (edit.operation()) {
            case Operation.From(var other, _) -> {
                var encoded = prompts.computeIfAbsent(other, model::encode);
                checkPositions(edit, encoded.length, other);
                yield Optional.of(encoded);
            }
            case Operation.Resample(var corpus, long seed) -> {
                int needed = 1 + IntStream.range(0, length).filter(p -> edit.positions().contains(p, prompt.length))
                        .max().orElse(0);
                yield Optional.of(Arrays.copyOf(references.find(corpus).draw(needed, seed), needed));
            }
            default -> Optional.empty();
        };
    }

    /** @param count of the positions that there are, in {@code source} */
    private void checkPositions(Edit edit, int count, Object source) {
        for (int position = count; position < length; position++) {
            if (edit.positions().contains(position, prompt.length)) {
                throw new IllegalArgumentException("edit: %s: position %d (expected: one of the %d that %s has)"
                        .formatted(Shown.of(edit), position, count, Shown.of(source)));
            }
        }
    }

    /** Returns the prompt's own clean run, with what edits of neurons need; this resolver closes it. */
    public Activations cleanRun() {
        return runs.of(prompt, Activations.Keep.NEURONS.sites());
    }

    /**
     * Returns the value that LM-Debugger writes for "on": the activation of (largest score of the layer at the clean
     * prompt's last position + 0.01).
     */
    private float valueWhenOn(int layer) {
        var run = cleanRun();
        try (var scope = new TensorScope(model.device())) {
            return model.call(session -> {
                var neuron = scope.allocate(ElementType.I32, 1, 1);
                var coefficient = scope.allocate(ElementType.F32, 1, 1);
                var score = scope.allocate(ElementType.F32, 1, 1);
                session.dominant(neuron, coefficient, score, run.coefficients(layer).row(prompt.length - 1),
                        model.layer(layer).valueNorms());
                session.biasGelu(score, scope.vector(session, 0.01f), model.config().activation());
                return score.toFloats()[0];
            });
        }
    }

    /**
     * Frees the runs of corpora's texts, and all numbers that were read from other runs. They are computed again for edits
     * that are resolved later; edits that were resolved before cannot be applied any more.
     */
    public void releaseTexts() {
        texts.close();
        tensors.clear();
        numbers.clear();
        patterns.clear();
    }

    @Override
    public void close() {
        releaseTexts();
        if (ownsRuns) {
            runs.close();
        }
        scope.close();
    }
}
