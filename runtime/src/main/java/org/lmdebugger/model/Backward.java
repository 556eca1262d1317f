package org.lmdebugger.model;

import java.util.stream.IntStream;
import org.lmdebugger.device.AttentionContext;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;

/**
 * The backward pass of one prompt: gradients of a number that is computed from the logits of the last position, by the rows
 * at each {@link Site} of its forward pass. Products with weights have the device's precision; those of attention are in
 * FP32, as in the forward pass. The same rows give the same bits.
 */
public final class Backward {
    private final Gpt2 model;
    private final Operations session;
    private final Rows forward;
    private final Hook hook;
    private final int length;
    private final Tensor stream; // [T, d]: the gradient by the residual stream
    private final Tensor branch; // [T, d]: that by what a LayerNorm reads
    private final Tensor z; // [T, d]
    private final Tensor queryKeyValue; // [T, 3d]
    private final Tensor coefficients; // [T, f]
    private final Tensor activated; // [T, f]: what the activation is computed from, without its bias
    private final Tensor noBias; // [1, d]

    private final Tensor none; // [0, d]
    private final Tensor zero; // [1, 1]
    private final Tensor positions; // [1, T]
    private final Tensor heads; // [H, T]: row h holds h
    private final Tensor noMask; // [T, T]
    private final Tensor weights; // [T, T], of one head
    private final Tensor scores; // [T, T]: the gradient by weights, then by q·k
    private final Tensor transposed; // [T, T]
    private final Tensor queriesAcross; // [d, T]
    private final Tensor keysAcross; // [d, T]
    private final Tensor zAcross; // [d, T]

    /** The rows that a forward pass of a whole prompt had at its sites. */
    @FunctionalInterface
    public interface Rows {
        /** Returns the rows at a site, of the shape that it gives; asked for all but coefficients and outputs. */
        Tensor at(Site site, int layer);
    }

    private Backward(Gpt2 model, Operations session, TensorScope memory, Rows forward, Hook hook) {
        this.model = model;
        this.session = session;
        this.forward = forward;
        this.hook = hook;
        var config = model.config();
        long d = config.width();
        length = (int) forward.at(Site.RESIDUAL_POST, config.layers() - 1).rows();
        stream = memory.allocate(ElementType.F32, length, d);
        branch = memory.allocate(ElementType.F32, length, d);
        z = memory.allocate(ElementType.F32, length, d);
        queryKeyValue = memory.allocate(ElementType.F32, length, 3 * d);
        coefficients = memory.allocate(ElementType.F32, length, config.feedForwardWidth());
        activated = memory.allocate(ElementType.F32, length, config.feedForwardWidth());
        noBias = memory.vector(session, new float[(int) d]);
        none = memory.allocate(ElementType.F32, 0, d);
        zero = memory.vector(session, 0);
        positions = memory.vector(session, IntStream.range(0, length).toArray());
        heads = memory.allocate(ElementType.I32, config.heads(), length);
        session.upload(heads, IntStream.range(0, config.heads() * length).map(i -> i / length).toArray());
        noMask = memory.allocate(ElementType.F32, length, length);
        session.upload(noMask, new float[length * length]);
        weights = memory.allocate(ElementType.F32, length, length);
        scores = memory.allocate(ElementType.F32, length, length);
        transposed = memory.allocate(ElementType.F32, length, length);
        queriesAcross = memory.allocate(ElementType.F32, d, length);
        keysAcross = memory.allocate(ElementType.F32, d, length);
        zAcross = memory.allocate(ElementType.F32, d, length);
    }

    /**
     * Computes the gradients.
     *
     * @param forward of a run without edits
     * @param logits  the gradient by the logits of the last position, [1, V]: for a difference of two logits, 1 and −1 there
     * @param hook    called with the gradients at every site of every block, from the last one to the first, of the shapes of
     *                the sites; it leaves them as they are, and copies those that it keeps
     */
    public static void run(Gpt2 model, Operations session, Rows forward, Tensor logits, Hook hook) {
        try (var memory = new TensorScope(model.device())) {
            new Backward(model, session, memory, forward, hook).run(logits);
        }
    }

    private void run(Tensor logits) {
        int top = model.config().layers() - 1;
        session.upload(stream, new float[length * model.config().width()]);
        var last = stream.row(length - 1);
        session.multiply(last, logits, model.head());
        session.layerNormBackward(last, forward.at(Site.RESIDUAL_POST, top).row(length - 1), model.finalGain(),
                model.config().epsilon());
        for (int l = top; l >= 0; l--) {
            hook.at(Site.RESIDUAL_POST, l, stream);
            hook.at(Site.FFN_OUT, l, stream);
            feedForward(l, model.layer(l));
            hook.at(Site.RESIDUAL_MID, l, stream);
            hook.at(Site.ATTENTION_OUT, l, stream);
            attention(l, model.layer(l));
            hook.at(Site.RESIDUAL_PRE, l, stream);
        }
    }

    private void feedForward(int l, Layer layer) {
        var x = forward.at(Site.RESIDUAL_MID, l);
        session.multiplyTransposed(coefficients, stream, layer.ffnOut());
        hook.at(Site.COEFFICIENTS, l, coefficients);
        session.layerNorm(branch, x, layer.ln2Gain(), layer.ln2Bias(), model.config().epsilon());
        session.multiplyConsuming(activated, branch, layer.ffnIn());
        session.biasGeluBackward(coefficients, activated, layer.ffnInBias(), model.config().activation());
        session.multiplyTransposed(branch, coefficients, layer.ffnIn());
        addThroughNorm(x, layer.ln2Gain());
    }

    private void attention(int l, Layer layer) {
        session.multiplyTransposed(z, stream, layer.attentionOut());
        hook.at(Site.Z, l, z);
        long d = z.columns();
        var queries = forward.at(Site.QUERY, l);
        var keys = forward.at(Site.KEY, l);
        var values = forward.at(Site.VALUE, l);
        session.transpose(queriesAcross, queries);
        session.transpose(keysAcross, keys);
        session.transpose(zAcross, z);
        var context = new AttentionContext(model.config().heads(), 1, none, none, keys, values, zero);
        double divisor = model.config().attentionDivisor(l);
        long width = d / context.heads();
        for (int h = 0; h < context.heads(); h++) {
            long from = h * width;
            session.attentionWeights(weights, queries, context, divisor, positions, heads.row(h), noMask);
            session.transpose(transposed, weights);
            session.innerProducts(queryKeyValue.columns(2 * d + from, width), transposed, zAcross.rows(from, width));
            session.innerProducts(scores, z.columns(from, width), values.columns(from, width));
            session.softmaxBackward(scores, weights, divisor);
            session.innerProducts(queryKeyValue.columns(from, width), scores, keysAcross.rows(from, width));
            session.transpose(transposed, scores);
            session.innerProducts(queryKeyValue.columns(d + from, width), transposed, queriesAcross.rows(from, width));
        }
        hook.at(Site.VALUE, l, queryKeyValue.columns(2 * d, d));
        hook.at(Site.KEY, l, queryKeyValue.columns(d, d));
        hook.at(Site.QUERY, l, queryKeyValue.columns(0, d));
        session.multiplyTransposed(branch, queryKeyValue, layer.queryKeyValue());
        addThroughNorm(forward.at(Site.RESIDUAL_PRE, l), layer.ln1Gain());
    }

    /** Adds the gradient by the input x of a LayerNorm, from that by its output, to that by the residual stream. */
    private void addThroughNorm(Tensor x, Tensor gain) {
        session.layerNormBackward(branch, x, gain, model.config().epsilon());
        session.biasResidual(stream, branch, noBias);
    }
}
