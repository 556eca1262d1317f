package org.lmdebugger.model;

import java.util.ArrayList;
import java.util.List;
import org.lmdebugger.device.AttentionContext;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Session;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.tokenizer.Tokenizer;

/**
 * A GPT-2 (Radford et al., 2019) on a device: pre-LN blocks, learned positions, {@code gelu_new}. Numbers agree with
 * Hugging Face's: no token is added, no LayerNorm folded, no weight centred.
 *
 * <p>Weights are immutable and shared by all threads. {@link #close()} ends everything that was computed with them.
 */
public final class Gpt2 implements AutoCloseable {
    private final ModelFiles files;
    private final Gpt2Config config;
    private final Tokenizer tokenizer;
    private final Device device;
    private final Safetensors weights;
    private final TensorScope scope;
    private final Tensor tokenEmbedding; // [V, d]
    private final Tensor positionEmbedding; // [n_positions, d]
    private final Tensor finalGain; // [1, d]
    private final Tensor finalBias; // [1, d]
    private final Tensor head; // [V, d]
    private final List<Layer> layers = new ArrayList<>();

    private Gpt2(ModelFiles files, Device device, Safetensors weights, TensorScope scope) {
        this.files = files;
        this.device = device;
        this.weights = weights;
        this.scope = scope;
        config = Gpt2Config.read(files.directory().resolve("config.json"));
        tokenizer = Tokenizer.read(files.directory(), config.vocabularySize());
        long d = config.width();
        tokenEmbedding = load("wte.weight", config.vocabularySize(), d);
        positionEmbedding = load("wpe.weight", config.positions(), d);
        finalGain = load("ln_f.weight", d);
        finalBias = load("ln_f.bias", d);
        head = config.tiedHead() ? tokenEmbedding : load("lm_head.weight", config.vocabularySize(), d);
        for (int l = 0; l < config.layers(); l++) {
            var layer = Layer.load(device, config, l, this::load);
            scope.add(layer.valueNorms());
            layers.add(layer);
        }
    }

    /**
     * Loads a checkpoint onto a device.
     *
     * @throws InvalidModelException if the files are missing, damaged or of another architecture
     */
    public static Gpt2 load(ModelFiles files, Device device) {
        var weights = Safetensors.open(files.directory());
        var scope = new TensorScope(device);
        try {
            return new Gpt2(files, device, weights, scope);
        } catch (Throwable failure) {
            scope.close();
            weights.close();
            throw failure;
        }
    }

    private Tensor load(String name, long... shape) {
        var entry = weights.get(name, shape);
        long rows = shape.length == 1 ? 1 : shape[0];
        return scope.add(device.load(entry.type(), rows, shape[shape.length - 1], entry.data()));
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

    /** Block {@code index}, from 0. */
    public Layer layer(int index) {
        return layers.get(index);
    }

    /** The output embedding, [V, d]: the token embedding unless the checkpoint has a head of its own. */
    public Tensor head() {
        return head;
    }

    /** Gain of the final LayerNorm, [1, d]. */
    public Tensor finalGain() {
        return finalGain;
    }

    /** x = token embedding + position embedding. Shapes: x [R, d], ids and positions [1, R]. */
    public void embed(Session session, Tensor x, Tensor ids, Tensor positions) {
        session.embed(x, tokenEmbedding, positionEmbedding, ids, positions);
    }

    /** q, k, v = LN1(x)·W + b, side by side. Shapes: buffers' queryKeyValue [R, 3d], x [R, d]. */
    public void project(Session session, int index, Tensor queryKeyValue, Tensor x, Buffers buffers) {
        var layer = layers.get(index);
        session.layerNorm(buffers.normed(), x, layer.ln1Gain(), layer.ln1Bias(), config.epsilon());
        session.multiply(queryKeyValue, buffers.normed(), layer.queryKeyValue());
        session.addBias(queryKeyValue, layer.queryKeyBias());
    }

    /** x += Attn(…), for queries of {@link #project}. Shapes: x [R, d], queries [R, d]. */
    public void attend(Session session, int index, Tensor x, Tensor queries, AttentionContext context, Buffers buffers) {
        var layer = layers.get(index);
        session.attention(buffers.normed(), queries, context);
        session.multiply(buffers.out(), buffers.normed(), layer.attentionOut());
        session.biasResidual(x, buffers.out(), layer.attentionBias());
    }

    /** coefficients = gelu(LN2(x)·W_fc + b). Shapes: coefficients [R, 4d], x [R, d]. */
    public void activate(Session session, int index, Tensor coefficients, Tensor x, Buffers buffers) {
        var layer = layers.get(index);
        session.layerNorm(buffers.normed(), x, layer.ln2Gain(), layer.ln2Bias(), config.epsilon());
        session.multiply(coefficients, buffers.normed(), layer.keys());
        session.biasGelu(coefficients, layer.keysBias());
    }

    /** x += Σ m_i·v_i + b. Shapes: x [R, d], coefficients [R, 4d]. */
    public void update(Session session, int index, Tensor x, Tensor coefficients, Buffers buffers) {
        var layer = layers.get(index);
        session.multiply(buffers.out(), coefficients, layer.values());
        session.biasResidual(x, buffers.out(), layer.valuesBias());
    }

    /** logits = LN_f(x)·headᵀ. Shapes: logits [R, V], x and normed [R, d]. */
    public void readLogits(Session session, Tensor logits, Tensor x, Tensor normed) {
        readLogits(session, logits, x, normed, head);
    }

    /** The same with some rows of the head alone. Shapes: logits [R, c], x and normed [R, d], rows [c, d]. */
    public void readLogits(Session session, Tensor logits, Tensor x, Tensor normed, Tensor rows) {
        session.layerNorm(normed, x, finalGain, finalBias, config.epsilon());
        session.multiplyTransposed(logits, normed, rows);
    }

    /**
     * What a block writes on its way, of R rows each.
     *
     * @param normed normalised rows, then the heads' mixed values, [R, d]
     * @param out    what is added to the residual stream, [R, d]
     */
    public record Buffers(Tensor normed, Tensor out) {
        /** New buffers, which {@code scope} frees. */
        public static Buffers of(TensorScope scope, long rows, long width) {
            return new Buffers(scope.allocate(ElementType.F32, rows, width), scope.allocate(ElementType.F32, rows, width));
        }
    }

    /** Frees the weights; once is enough, more do nothing. */
    @Override
    public void close() {
        scope.close();
        weights.close();
    }
}
