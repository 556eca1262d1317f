package org.lmdebugger.interpret.generate;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.lmdebugger.device.AttentionContext;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.interpret.activations.Activations;
import org.lmdebugger.interpret.activations.CompiledIntervention;
import org.lmdebugger.interpret.activations.CompiledIntervention.Affine;
import org.lmdebugger.interpret.activations.EditTable;
import org.lmdebugger.interpret.activations.PatternTable;
import org.lmdebugger.interpret.activations.RowTable;
import org.lmdebugger.interpret.activations.SiteEdits;
import org.lmdebugger.model.BlockRows;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Site;

/**
 * Decodes continuations of one prompt as one batch, a row each: they share the prompt's keys and values, and have
 * their own for what they generate. The first step runs as it is, so that libraries load what it needs; then it is
 * recorded once and repeated. What changes from step to step (tokens, positions, cache rows, random numbers, edits) lies
 * in the contents of tensors.
 */
public final class Decoder implements AutoCloseable {
    private final Gpt2 model;
    private final Operations session;
    private final TensorScope scope;
    private final int promptLength;
    private final List<CompiledIntervention> interventions;
    private final GenerationOptions options;

    private final Tensor x; // [B, d]
    private final Tensor normed; // [B, d]
    private final Tensor logits; // [B, V]
    private final Tensor ids; // [1, B]
    private final Tensor logProbabilities; // [1, B]
    private final Tensor uniforms; // [steps, B]
    private final Tensor counters; // [1, 2 + 2B], each one more after each step; the next four are its windows
    private final Tensor step; // [1, 1]
    private final Tensor length; // [1, 1]: generated positions in the cache
    private final Tensor positions; // [1, B]
    private final Tensor cacheRows; // [1, B]
    private final Tensor keysAndValues; // [B, 2d], side by side
    private final List<Tensor> caches = new ArrayList<>(); // by layer, of keys and values, side by side
    private final List<BlockRows> rows = new ArrayList<>(); // by layer: they differ in the cache alone
    private final List<LayerEdits> edits = new ArrayList<>();

    private final List<SiteSteps> siteSteps = new ArrayList<>();
    private final List<PatternSteps> patternSteps = new ArrayList<>();

    /** Edits of rows at a site of a layer, of all continuations; which entry means which edit does not change. */
    private record SiteSteps(Site site, int layer, RowTable table, List<SiteEdits.Member> entries, int[] rows) {
    }

    /** Edits of the attention of a layer, of all continuations. */
    private record PatternSteps(int layer, PatternTable table, int[] continuations) {
    }

    /** The edits of one layer, of all continuations; which entry means which neuron does not change. */
    private record LayerEdits(int layer, EditTable table, int[] rows, int[] neurons, Affine[] changes) {
    }

    public Decoder(Operations session, Activations prompt, List<CompiledIntervention> interventions, List<Long> seeds,
            GenerationOptions options) {
        this.session = session;
        this.interventions = interventions;
        this.options = options;
        model = prompt.model();
        promptLength = prompt.length();
        scope = new TensorScope(model.device());
        int batch = interventions.size();
        int capacity = options.tokens();
        long d = model.config().width();
        x = scope.allocate(ElementType.F32, batch, d);
        normed = scope.allocate(ElementType.F32, batch, d);
        var out = scope.allocate(ElementType.F32, batch, d);
        var queryKeyValue = scope.allocate(ElementType.F32, batch, 3 * d);
        var coefficients = scope.allocate(ElementType.F32, batch, model.config().feedForwardWidth());
        logits = model.allocateLogits(scope, batch);
        ids = scope.allocate(ElementType.I32, 1, batch);
        logProbabilities = scope.allocate(ElementType.F32, 1, batch);
        uniforms = scope.allocate(ElementType.F32, capacity, batch);
        session.upload(uniforms, uniforms(seeds, capacity));
        keysAndValues = queryKeyValue.columns(d, 2 * d);
        var first = new int[2 + 2 * batch]; // before the first step, the choice of a token adds one to each
        first[1] = -1;
        for (int b = 0; b < batch; b++) {
            first[2 + b] = promptLength - 1;
            first[2 + batch + b] = b * capacity - 1;
        }
        counters = scope.vector(session, first);
        step = counters.columns(0, 1);
        length = counters.columns(1, 1);
        positions = counters.columns(2, batch);
        cacheRows = counters.columns(2 + batch, batch);
        for (int l = 0; l < model.config().layers(); l++) {
            var cache = scope.allocate(ElementType.F32, (long) batch * capacity, 2 * d);
            caches.add(cache);
            rows.add(BlockRows.of(x, queryKeyValue, normed, out, coefficients,
                    new AttentionContext(model.config().heads(), batch, prompt.keys(l), prompt.values(l),
                            cache.columns(0, d), cache.columns(d, d), length)));
            prepareEdits(l);
        }
        var lastRow = scope.vector(session, IntStream.range(0, batch).map(b -> promptLength - 1).toArray());
        session.gatherRows(x, prompt.residualPost(model.config().layers() - 1), lastRow);
    }

    /** One stream of numbers from [0, 1) for each seed, so that a continuation does not depend on its company. */
    private static float[] uniforms(List<Long> seeds, int steps) {
        var numbers = new float[steps * seeds.size()];
        for (int b = 0; b < seeds.size(); b++) {
            var random = new SplittableRandom(seeds.get(b));
            for (int s = 0; s < steps; s++) {
                numbers[s * seeds.size() + b] = random.nextInt(1 << 24) * 0x1p-24f;
            }
        }
        return numbers;
    }

    private void prepareEdits(int layer) {
        if (interventions.stream().noneMatch(i -> i.touches(promptLength, promptLength + options.tokens()))) {
            return;
        }
        var entries = new ArrayList<EditTable.Entry>();
        for (int b = 0; b < interventions.size(); b++) {
            for (int neuron : interventions.get(b).neurons(layer)) {
                entries.add(new EditTable.Entry(b, neuron, Affine.IDENTITY));
            }
        }
        if (!entries.isEmpty()) {
            edits.add(new LayerEdits(layer, new EditTable(scope, session, entries),
                    entries.stream().mapToInt(EditTable.Entry::row).toArray(),
                    entries.stream().mapToInt(EditTable.Entry::neuron).toArray(),
                    entries.stream().map(EditTable.Entry::change).toArray(Affine[]::new)));
        }
        for (var site : Site.values()) {
            for (var group : SiteEdits.groups(site, layer, interventions)) {
                var rows = new int[group.members().size()];
                Arrays.fill(rows, -1);
                siteSteps.add(new SiteSteps(site, layer,
                        new RowTable(scope, group.vectors(), group.width(), rows.length), group.members(), rows));
            }
        }
        prepareAttention(layer);
    }

    private void prepareAttention(int layer) {
        var continuations = new ArrayList<Integer>();
        var heads = new ArrayList<Integer>();
        for (int b = 0; b < interventions.size(); b++) {
            for (int head : interventions.get(b).heads(layer)) {
                continuations.add(b);
                heads.add(head);
            }
        }
        if (!heads.isEmpty()) {
            var table = new PatternTable(scope, session, heads.stream().mapToInt(head -> head).toArray(),
                    promptLength + options.tokens());
            patternSteps.add(new PatternSteps(layer, table, continuations.stream().mapToInt(b -> b).toArray()));
        }
    }

    /** Takes each step's choices; returns whether to go on. */
    public interface Sink {
        boolean step(int[] ids, float[] logProbabilities);
    }

    /** Decodes until the last token, or the sink ends it; then one step more may have been computed for nothing. */
    public void run(Sink sink) {
        var chosen = new int[interventions.size()];
        var logP = new float[interventions.size()];
        boolean ahead = model.device().traits().isQueued(); // the next step is queued before this one's choices are waited for
        choose();
        Operations.Replay replay = null;
        try {
            for (int generated = 1; generated <= options.tokens(); generated++) {
                boolean next = generated < options.tokens();
                session.fetch(chosen, ids);
                session.fetch(logP, logProbabilities);
                if (ahead && next) {
                    replay = step(generated, replay);
                }
                session.await();
                if (!sink.step(chosen, logP)) {
                    return;
                }
                if (!ahead && next) {
                    replay = step(generated, replay);
                }
            }
        } finally {
            if (replay != null) {
                replay.close();
            }
        }
    }

    /** Queues the step after {@code generated} tokens: the first as it is, the second is recorded. */
    private Operations.@Nullable Replay step(int generated, Operations.@Nullable Replay recorded) {
        updateEdits(promptLength + generated - 1);
        if (generated == 1) {
            step();
            return null;
        }
        var replay = recorded == null ? session.record(this::step) : recorded;
        replay.run();
        return replay;
    }

    private void choose() {
        model.readLogits(session, logits, x, normed);
        session.sample(ids, logProbabilities, logits, options.sampling(), uniforms, step);
        session.increment(counters);
    }

    private void step() {
        model.embed(session, x, ids, positions);
        model.forward(session, 0, rows::get, this::at);
        choose();
    }

    private void at(Site site, int layer, Tensor at) {
        if (!siteSteps.isEmpty() || !patternSteps.isEmpty()) {
            applySteps(site, layer, at);
        }
        switch (site) {
            case VALUE -> session.scatterRows(caches.get(layer), keysAndValues, cacheRows);
            case COEFFICIENTS -> applyEdits(layer, at);
            default -> {}
        }
    }

    private void applySteps(Site site, int layer, Tensor at) {
        for (var steps : patternSteps) {
            if (site == Site.Z && steps.layer() == layer) {
                steps.table().apply(session, rows.get(layer), model.config().attentionDivisor(layer));
            }
        }
        for (var steps : siteSteps) {
            if (steps.layer() == layer && steps.site() == site) {
                steps.table().apply(session, at);
            }
        }
    }

    private void applyEdits(int layer, Tensor coefficients) {
        for (var layerEdits : edits) {
            if (layerEdits.layer() == layer) {
                layerEdits.table().apply(session, coefficients);
            }
        }
    }

    /** Uploads what the edits do at {@code position} where that differs from what they did before. */
    private void updateEdits(int position) {
        for (var layerEdits : edits) {
            boolean changed = false;
            for (int e = 0; e < layerEdits.changes().length; e++) {
                var change = interventions.get(layerEdits.rows()[e]).at(layerEdits.layer(), layerEdits.neurons()[e],
                        position);
                change = change == null ? Affine.IDENTITY : change;
                changed |= !change.equals(layerEdits.changes()[e]);
                layerEdits.changes()[e] = change;
            }
            if (changed) {
                layerEdits.table().change(session, layerEdits.changes());
            }
        }
        siteSteps.forEach(steps -> update(steps, position));
        for (var steps : patternSteps) {
            var positions = new int[steps.continuations().length];
            Arrays.fill(positions, position);
            steps.table().set(session, steps.layer(), steps.continuations(), positions,
                    Arrays.stream(steps.continuations()).mapToObj(interventions::get)
                            .toArray(CompiledIntervention[]::new));
        }
    }

    private void update(SiteSteps steps, int position) {
        var positions = new int[steps.rows().length];
        Arrays.fill(positions, position);
        for (int e = 0; e < positions.length; e++) {
            var entry = steps.entries().get(e);
            boolean holds = interventions.get(entry.sequence()).holds(entry.step(), position);
            steps.rows()[e] = holds ? entry.sequence() : -1;
        }
        steps.table().set(session, steps.rows(), steps.entries().stream().map(entry -> entry.step().change())
                .toArray(CompiledIntervention.RowChange[]::new), positions);
    }

    @Override
    public void close() {
        scope.close();
    }
}
