package org.lmdebugger.model;

import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.IntFunction;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.lmdebugger.checkpoint.Fingerprint;
import org.lmdebugger.checkpoint.InvalidModelException;
import org.lmdebugger.checkpoint.LoadedFile;
import org.lmdebugger.checkpoint.ModelFiles;
import org.lmdebugger.checkpoint.StoredTensor;
import org.lmdebugger.checkpoint.Weights;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.tokenizer.Tokenizer;

/**
 * A GPT-2 (Radford et al., 2019) on a device: pre-LN blocks, learned positions, GELU. Numbers agree with
 * Hugging Face's: no LayerNorm is folded, no weight centred.
 *
 * <p>Weights are immutable and shared by all threads. {@link #close()} ends everything that was computed with them.
 */
public final class Gpt2 implements AutoCloseable {
    private static final String EMBEDDING = "wte.weight";
    private static final String HEAD = "lm_head.weight";
    private static final Pattern MASK = Pattern.compile("(transformer\\.)?h\\.\\d+\\.attn\\.(bias|masked_bias)"); // old files' buffers

    private final ModelFiles files;
    private final Gpt2Config config;
    private final Tokenizer tokenizer;
    private final Device device;
    private final Weights weights;
    private final Consumer<String> warnings;
    private final Fingerprint fingerprint;
    private final Set<String> warned = ConcurrentHashMap.newKeySet();
    private final TensorScope scope;
    private final Tensor tokenEmbedding; // [V, d]
    private final Tensor positionEmbedding; // [n_positions, d]
    private final Tensor finalGain; // [1, d]
    private final Tensor finalBias; // [1, d]
    private final Tensor head; // [V, d]
    private final List<Layer> layers = new ArrayList<>();

    private boolean inPlace; // whether a weight is used where it is mapped
    private volatile boolean closed;

    private Gpt2(ModelFiles files, Device device, Weights weights, TensorScope scope, Consumer<String> warnings) {
        this.files = files;
        this.device = device;
        this.weights = weights;
        this.scope = scope;
        this.warnings = warnings;
        var configuration = LoadedFile.copy(files.directory().resolve("config.json"), Arena.ofAuto());
        fingerprint = new Fingerprint(Stream.concat(Stream.of(configuration), weights.loaded().stream()).toList());
        config = Gpt2Config.read(files.directory().resolve("config.json"));
        long d = config.width();
        var embedding = weights.get(embeddingName(), config.vocabularySize(), d);
        tokenizer = Tokenizer.read(files.directory(), config.vocabularySize()); // as many tokens as the weights have rows
        tokenEmbedding = load(embedding);
        positionEmbedding = load("wpe.weight", config.positions(), d);
        finalGain = load("ln_f.weight", d);
        finalBias = load("ln_f.bias", d);
        head = head(embedding);
        for (int l = 0; l < config.layers(); l++) {
            layers.add(Layer.load(scope, config, l, this::load));
        }
        warnOfUnused();
        fingerprint.files().stream().flatMap(file -> file.change().stream()).findFirst().ifPresent(change -> {
            throw new InvalidModelException(change + " began (expected: no change meanwhile)");
        });
        tokenizer.warnings().forEach(warnings);
    }

    /** Loads a checkpoint onto a device, as {@link LoadOptions#DEFAULT} says. */
    public static Gpt2 load(ModelFiles files, Device device) {
        return load(files, device, LoadOptions.DEFAULT);
    }

    /**
     * Loads a checkpoint onto a device.
     *
     * @throws InvalidModelException if the files are missing, damaged or of another architecture
     */
    public static Gpt2 load(ModelFiles files, Device device, LoadOptions options) {
        var weights = Weights.open(files.directory(), options.copyWeights());
        var scope = new TensorScope(device);
        try {
            return new Gpt2(files, device, weights, scope, options.warnings());
        } catch (Throwable failure) {
            scope.close();
            weights.close();
            throw failure;
        }
    }

    private Tensor load(String name, long... shape) {
        return load(weights.get(name, shape));
    }

    private Tensor load(StoredTensor entry) {
        var shape = entry.shape();
        long rows = shape.size() == 1 ? 1 : shape.getFirst();
        var tensor = scope.add(device.load(entry.type(), rows, shape.getLast(), entry.data()));
        inPlace |= entry.data().isMapped() && tensor.memory().isInPlace();
        return tensor.asReadOnly();
    }

    /** Files of {@code save_model} hold the one matrix of a tied model under the head's name alone. */
    private String embeddingName() {
        return config.tiedHead() && !weights.contains(EMBEDDING) && weights.contains(HEAD) ? HEAD : EMBEDDING;
    }

    /** A head that differs from the token embedding is used, whatever the configuration says of it. */
    private Tensor head(StoredTensor embedding) {
        if (config.tiedHead() && !weights.contains(HEAD)) {
            return tokenEmbedding;
        }
        var entry = weights.get(HEAD, config.vocabularySize(), config.width());
        boolean same = entry.dtype().equals(embedding.dtype()) && entry.data().mismatch(embedding.data()) == -1;
        return same ? tokenEmbedding : load(entry);
    }

    private void warnOfUnused() {
        var names = weights.unread().stream().filter(name -> !MASK.matcher(name).matches()).toList();
        if (!names.isEmpty()) {
            warnings.accept("%s: %s not used: %s (in a GPT-2 of n_layer %d)".formatted(files.directory(),
                    names.size() == 1 ? "1 tensor is" : names.size() + " tensors are",
                    names.stream().limit(3).collect(Collectors.joining(", ", "", names.size() > 3 ? ", …" : "")),
                    config.layers()));
        }
    }

    /**
     * Runs {@code work} as {@link Device#call} does, if the weights are still those that were loaded: the way to
     * compute with this model. A file that was replaced gives one warning.
     *
     * @throws InvalidModelException if a file was written over whose weights are used where they are mapped
     * @throws IllegalStateException if the model is closed
     */
    public <T> T call(Function<Operations, T> work) {
        if (closed) {
            throw new IllegalStateException("model %s: closed".formatted(files.name()));
        }
        for (var file : weights.loaded()) {
            var change = file.change();
            if (change.isPresent() && inPlace) {
                file.requireSameBytes();
            }
            change.filter(warned::add)
                    .ifPresent(said -> warnings.accept(said + "; this process goes on with what it loaded"));
        }
        return device.call(session -> work.apply(OperationEvent.recorded(session, device)));
    }

    /**
     * Returns the SHA-256 of the configuration and the weights as they were loaded, each file with its length before
     * it: equal for equal files, wherever they lie. Takes about a second for a gigabyte, the first time.
     *
     * @throws InvalidModelException if a file was written over between loading and the first call
     */
    public String fingerprint() {
        return fingerprint.value();
    }

    /**
     * Returns the ids of a prompt's tokens.
     *
     * @throws IllegalArgumentException if the prompt is empty, or has more tokens than the model has positions
     */
    public int[] encode(String prompt) {
        if (prompt.length() > (long) config.positions() * tokenizer.longest()) { // to tokenize it would take long
            throw new IllegalArgumentException("prompt: %,d characters (expected: at most %,d tokens in this model)"
                    .formatted(prompt.length(), config.positions()));
        }
        return checkPrompt(tokenizer.encode(prompt));
    }

    /**
     * Returns the ids of a prompt's tokens.
     *
     * @throws IllegalArgumentException if there are none, too many for the model's positions, or one that is no token's
     */
    public int[] encode(Prompt prompt) {
        return switch (prompt) {
            case Prompt.Text(var text) -> encode(text);
            case Prompt.Ids(var ids) -> checkPrompt(ids.stream().mapToInt(id -> id).toArray());
        };
    }

    /** Returns the text of a prompt; of ids, what their tokens decode to. */
    public String text(Prompt prompt) {
        return switch (prompt) {
            case Prompt.Text(var text) -> text;
            case Prompt.Ids(var ids) -> tokenizer.decode(ids.stream().mapToInt(id -> id).toArray());
        };
    }

    private int[] checkPrompt(int[] ids) {
        if (ids.length == 0) {
            throw new IllegalArgumentException("prompt: empty (expected: at least one token)");
        }
        if (ids.length > config.positions()) {
            throw new IllegalArgumentException("prompt: %d tokens (expected: at most %d in this model)"
                    .formatted(ids.length, config.positions()));
        }
        for (int id : ids) {
            tokenizer.raw(id); // throws for an id that is none
        }
        return ids;
    }

    public ModelFiles files() {
        return files;
    }

    public Gpt2Config config() {
        return config;
    }

    public Tokenizer tokenizer() {
        return tokenizer;
    }

    public Device device() {
        return device;
    }

    /** Returns block {@code index}, from 0. */
    public Layer layer(int index) {
        return layers.get(index);
    }

    /** Returns the output embedding, [V, d]: the token embedding unless the checkpoint has a head of its own. */
    public Tensor head() {
        return head;
    }

    /** Returns the token embedding, [V, d]. */
    public Tensor tokenEmbedding() {
        return tokenEmbedding;
    }

    /** Returns the position embedding, [n_positions, d]. */
    public Tensor positionEmbedding() {
        return positionEmbedding;
    }

    /** Returns the gain of the final LayerNorm, [1, d]. */
    public Tensor finalGain() {
        return finalGain;
    }

    /** Returns the bias of the final LayerNorm, [1, d]. */
    public Tensor finalBias() {
        return finalBias;
    }

    /** x = token embedding + position embedding. Shapes: x [R, d], ids and positions [1, R]. */
    public void embed(Operations session, Tensor x, Tensor ids, Tensor positions) {
        session.embed(x, tokenEmbedding, positionEmbedding, ids, positions);
    }

    /**
     * Carries rows of the residual stream through the blocks from {@code first} on, without the final LayerNorm.
     *
     * @param rows the rows that pass a block so far: asked for again after each call of {@code hook}, as more may enter
     *             at any site
     * @param hook called at every {@link Site} of each block
     */
    public void forward(Operations session, int first, IntFunction<BlockRows> rows, Hook hook) {
        var event = new ForwardEvent();
        event.begin();
        for (int l = first; l < layers.size(); l++) {
            block(session, l, rows, hook);
        }
        event.end();
        if (event.shouldCommit()) {
            event.model = files.name();
            event.device = device.name();
            event.firstLayer = first;
            event.layers = layers.size() - first;
            event.rows = first < layers.size() ? rows.apply(layers.size() - 1).x.rows() : 0;
            event.commit();
        }
    }

    /** x += Attn(LN1(x)), then x += FFN(LN2(x)) = Σ m_i·v_i + b, where m = gelu(LN2(x)·W_in + b_in). */
    private void block(Operations session, int l, IntFunction<BlockRows> rows, Hook hook) {
        var layer = layers.get(l);
        var r = at(Site.RESIDUAL_PRE, l, rows, hook);
        if (!r.isEmpty()) {
            session.layerNorm(r.normed, r.x, layer.ln1Gain(), layer.ln1Bias(), config.epsilon());
            project(session, layer, r);
        }
        at(Site.QUERY, l, rows, hook);
        at(Site.KEY, l, rows, hook);
        r = at(Site.VALUE, l, rows, hook);
        if (!r.isEmpty()) {
            session.attention(r.z, r.queries, r.context, config.attentionDivisor(l));
        }
        r = at(Site.Z, l, rows, hook);
        if (!r.isEmpty()) {
            session.multiply(r.out, r.z, layer.attentionOut());
        }
        r = at(Site.ATTENTION_OUT, l, rows, hook);
        if (!r.isEmpty()) {
            session.biasResidual(r.stream, r.out, layer.attentionBias());
        }
        r = at(Site.RESIDUAL_MID, l, rows, hook);
        if (!r.isEmpty()) {
            var normed = r.z; // its memory
            session.layerNorm(normed, r.stream, layer.ln2Gain(), layer.ln2Bias(), config.epsilon());
            session.multiplyConsuming(r.coefficients, normed, layer.ffnIn());
            session.biasGelu(r.coefficients, layer.ffnInBias(), config.activation());
        }
        r = at(Site.COEFFICIENTS, l, rows, hook);
        if (!r.isEmpty()) {
            if (r.keepsCoefficients) {
                session.multiply(r.out, r.coefficients, layer.ffnOut());
            } else {
                session.multiplyConsuming(r.out, r.coefficients, layer.ffnOut());
            }
        }
        r = at(Site.FFN_OUT, l, rows, hook);
        if (!r.isEmpty()) {
            session.biasResidual(r.stream, r.out, layer.ffnOutBias());
        }
        at(Site.RESIDUAL_POST, l, rows, hook);
    }

    /** Returns the rows that go on from a site, after the hook. */
    private static BlockRows at(Site site, int l, IntFunction<BlockRows> rows, Hook hook) {
        hook.at(site, l, rows.apply(l).at(site));
        return rows.apply(l);
    }

    /** Queries, keys and values of all rows; if only some rows go on, their queries and their residual stream. */
    private void project(Operations session, Layer layer, BlockRows rows) {
        if (rows.last.isEmpty()) {
            session.multiplyConsuming(rows.queryKeyValue, rows.normed, layer.queryKeyValue());
            session.addBias(rows.queryKeyValue, layer.queryKeyValueBias());
            return;
        }
        var last = rows.last.get();
        long d = config.width();
        var keysAndValues = rows.queryKeyValue.columns(d, 2 * d);
        session.multiply(keysAndValues, rows.normed, layer.queryKeyValue().columns(d, 2 * d));
        session.addBias(keysAndValues, layer.queryKeyValueBias().columns(d, 2 * d));
        session.gatherRows(rows.out, rows.normed, last);
        session.multiply(rows.queries, rows.out, layer.queryKeyValue().columns(0, d));
        session.addBias(rows.queries, layer.queryKeyValueBias().columns(0, d));
        session.gatherRows(rows.stream, rows.x, last);
    }

    /** Allocates logits, [n, V], with rows as far apart as suits the device. */
    public Tensor allocateLogits(TensorScope memory, long n) {
        long multiple = device.traits().logitColumns();
        return memory.allocate(ElementType.F32, n, Math.ceilDiv(config.vocabularySize(), multiple) * multiple)
                .columns(0, config.vocabularySize());
    }

    /** logits = LN_f(x)·headᵀ. Shapes: logits [R, V], x and normed [R, d]. */
    public void readLogits(Operations session, Tensor logits, Tensor x, Tensor normed) {
        readLogits(session, logits, x, normed, head);
    }

    /** Computes the logits of some rows of the head alone. Shapes: logits [R, c], x and normed [R, d], rows [c, d]. */
    public void readLogits(Operations session, Tensor logits, Tensor x, Tensor normed, Tensor rows) {
        session.layerNorm(normed, x, finalGain, finalBias, config.epsilon());
        session.multiplyTransposed(logits, normed, rows);
    }

    /** Takes the logits of some rows; {@code logits} [n, V] are overwritten by those of the next. */
    @FunctionalInterface
    public interface LogitTile {
        /** @param from index of the first of the rows */
        void take(int from, Tensor logits);
    }

    /**
     * Reads any number of rows of the residual stream as logits, LN_f(x)·headᵀ, a tile of rows at a time: logits are by
     * far the widest of what a model computes. Shapes: x [R, d], tile [n, V], normed [n, d] or larger.
     */
    public void readLogits(Operations session, Tensor x, Tensor normed, Tensor tile, LogitTile each) {
        tiles(x, tile, (logits, rows) -> readLogits(session, logits, rows, normed.rows(0, rows.rows())), each);
    }

    /** Reads any number of vectors as they are, x·headᵀ, without the final LayerNorm. Shapes: x [R, d], tile [n, V]. */
    public void readRaw(Operations session, Tensor x, Tensor tile, LogitTile each) {
        tiles(x, tile, (logits, rows) -> session.multiplyTransposed(logits, rows, head), each);
    }

    private static void tiles(Tensor x, Tensor tile, BiConsumer<Tensor, Tensor> read, LogitTile each) {
        for (long from = 0; from < x.rows(); from += tile.rows()) {
            long count = Math.min(tile.rows(), x.rows() - from);
            var logits = tile.rows(0, count);
            read.accept(logits, x.rows(from, count));
            each.take((int) from, logits);
        }
    }

    /**
     * Refuses calls from now on, waits for those in progress on the device, and frees the weights; once is enough, more
     * do nothing.
     *
     * @throws IllegalStateException within a call; the weights stay then, until this is called again
     */
    @Override
    public void close() {
        closed = true;
        device.awaitCalls();
        scope.close();
        device.awaitCalls(); // those that went past this model's own call
        synchronized (fingerprint) { // which may be at its first reading
            weights.close();
        }
    }
}
