package org.lmdebugger.interpret;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.interpret.activations.Activations;
import org.lmdebugger.interpret.activations.CleanRuns;
import org.lmdebugger.interpret.activations.CompiledIntervention;
import org.lmdebugger.interpret.activations.Lens;
import org.lmdebugger.interpret.activations.Overflow;
import org.lmdebugger.interpret.activations.References;
import org.lmdebugger.interpret.activations.Resolver;
import org.lmdebugger.interpret.edge.Edge;
import org.lmdebugger.interpret.edge.EdgeAverages;
import org.lmdebugger.interpret.edge.EdgeEffects;
import org.lmdebugger.interpret.edge.EdgeEstimates;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.Mode;
import org.lmdebugger.interpret.generate.Continuation;
import org.lmdebugger.interpret.generate.Decoder;
import org.lmdebugger.interpret.generate.Generation;
import org.lmdebugger.interpret.generate.GenerationOptions;
import org.lmdebugger.interpret.patch.Averages;
import org.lmdebugger.interpret.patch.Averaging;
import org.lmdebugger.interpret.patch.Baseline;
import org.lmdebugger.interpret.patch.Grid;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.patch.PatchPlan;
import org.lmdebugger.interpret.patch.Patching;
import org.lmdebugger.interpret.sweep.Effects;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.MultiDeviceSweep;
import org.lmdebugger.interpret.sweep.Sweep;
import org.lmdebugger.interpret.sweep.SweepEngine;
import org.lmdebugger.interpret.sweep.SweepPlan;
import org.lmdebugger.interpret.trace.Attribution;
import org.lmdebugger.interpret.trace.AttributionOptions;
import org.lmdebugger.interpret.trace.Attributor;
import org.lmdebugger.interpret.trace.TotalEffects;
import org.lmdebugger.interpret.trace.Trace;
import org.lmdebugger.interpret.trace.TraceOptions;
import org.lmdebugger.interpret.trace.Tracer;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Prompt;
import org.lmdebugger.model.TokenLogit;
import org.lmdebugger.progress.Progress;
import org.lmdebugger.text.Shown;
import org.lmdebugger.tokenizer.StreamDecoder;

/**
 * See and change how a GPT-2 makes a prediction: runs, traces, generation, projection to tokens. Any thread may use
 * a debugger, and calls do not affect each other: an intervention travels with its call and leaves nothing behind.
 * The same call gives the same bits every time on one device.
 */
public final class Debugger {
    private final Gpt2 model;
    private final References references;

    /** Makes a debugger of {@code model}, which its owner closes, without corpora. */
    public Debugger(Gpt2 model) {
        this(model, References.NONE);
    }

    /**
     * Makes a debugger of {@code model}, which its owner closes.
     *
     * @param references that edits take means and samples from, such as
     *                   {@link org.lmdebugger.interpret.corpus.Corpora}
     */
    public Debugger(Gpt2 model, References references) {
        this.model = model;
        this.references = references;
    }

    public Gpt2 model() {
        return model;
    }

    /** Returns the corpora that edits take means and samples from. */
    public References references() {
        return references;
    }

    /**
     * Runs a forward pass of {@code prompt}, whose activations stay on the device until they are closed. Where the
     * network overflows, they are NaN or infinite.
     */
    public Activations run(String prompt) {
        return run(prompt, Intervention.NONE);
    }

    /**
     * Runs a forward pass of {@code prompt} under {@code edits}.
     *
     * @throws IllegalArgumentException if the prompt is empty or too long, or an edit does not fit model or prompt
     */
    public Activations run(String prompt, Intervention edits) {
        return run(Prompt.of(prompt), edits);
    }

    /** Runs a forward pass of a text or of ids under {@code edits}. */
    public Activations run(Prompt prompt, Intervention edits) {
        return run(model.encode(prompt), edits, Activations.Keep.ALL);
    }

    private Activations run(int[] ids, Intervention edits, Activations.Keep keep) {
        try (var resolver = new Resolver(model, references, ids, ids.length)) {
            return Activations.forward(model, ids, resolver.resolve(edits), keep);
        }
    }

    /** Traces the last position. */
    public Trace trace(String prompt) {
        return trace(prompt, Intervention.NONE, TraceOptions.DEFAULT);
    }

    /** Traces the last position, clean and edited. */
    public Trace trace(String prompt, Intervention edits) {
        return trace(prompt, edits, TraceOptions.DEFAULT);
    }

    /**
     * How the prediction after {@code prompt} is built up, clean and, with edits, edited beside it.
     *
     * @throws IllegalArgumentException if the prompt is empty or too long, or an edit, a position, a token or the
     *     number of listed tokens does not fit, there is nothing to trace, a position's target is the token that it is compared with, or numbers of
     *     the network are not finite
     */
    public Trace trace(String prompt, Intervention edits, TraceOptions options) {
        return trace(Prompt.of(prompt), edits, options, Progress.NONE);
    }

    /**
     * Traces as {@link #trace(String, Intervention, TraceOptions)} does; total effects of many positions take a while.
     *
     * @param progress of the total effects' positions
     */
    public Trace trace(Prompt prompt, Intervention edits, TraceOptions options, Progress progress) {
        var ids = model.encode(prompt);
        int most = Math.min(model.config().vocabularySize(), model.config().feedForwardWidth());
        if (options.top() < 1 || options.top() > most) {
            throw new IllegalArgumentException("top: %d (expected: 1 to %d)".formatted(options.top(), most));
        }
        options.tokens().forEach(model.tokenizer()::raw); // throws for an id that is none
        options.against().ifPresent(model.tokenizer()::raw);
        var positions = Tracer.positions(options.positions(), ids.length);
        var targets = options.tokens().stream().findFirst()
                .map(token -> IntStream.range(0, positions.length).map(i -> token).toArray());
        if (!options.clean() && (edits.isEmpty() || options.totalEffects())) {
            throw new IllegalArgumentException(
                    "clean: left out, with %s (expected: edits, and no total effects, which are the clean run's)"
                            .formatted(edits.isEmpty() ? "no edits" : "total effects"));
        }
        var clean = options.clean() ? read(ids, Intervention.NONE, positions, options, targets)
                : List.<Trace.Position>of();
        Optional<List<Trace.Position>> edited = edits.isEmpty() ? Optional.empty()
                : Optional.of(
                        read(ids, edits, positions, options, options.clean() ? Optional.of(targets(clean)) : targets));
        edited.filter(_ -> clean.isEmpty()).orElse(clean)
                .forEach(position -> checkAgainst(position.against(), position.target()));
        var mode = edits.list().stream().anyMatch(edit -> edit.operation().isSwitch()) ? Mode.LM_DEBUGGER : Mode.EXACT;
        return new Trace(model.files().name(), model.device().name(),
                model.device().precision().toString().toLowerCase(Locale.ROOT),
                mode.toString(), model.text(prompt), tokens(ids), model.tokenizer().added(ids.length),
                options.totalEffects() ? TotalEffects.add(model, ids, clean, progress) : clean, edited);
    }

    private static int[] targets(List<Trace.Position> positions) {
        return positions.stream().mapToInt(position -> position.target().id()).toArray();
    }

    private List<Trace.Position> read(int[] ids, Intervention edits, int[] positions, TraceOptions options,
            Optional<int[]> targets) {
        var tokens = options.tokens().stream().mapToInt(id -> id).toArray();
        try (var run = run(ids, edits, Activations.Keep.NEURONS)) {
            var read = model.call(session -> {
                try (var tracer = new Tracer(model, session, positions, options.top(), tokens)) {
                    return tracer.read(run, targets, options.against());
                }
            });
            if (!read.stream().allMatch(Trace.Position::isFinite)) {
                throw Overflow.in(run, edits);
            }
            return read;
        }
    }

    /**
     * Returns the direct effects of all parts of the network on the prediction at one position, which add up to its
     * logit, and beside each the effect with the final LayerNorm computed anew and the total effect.
     *
     * @param progress of the total effects
     * @throws IllegalArgumentException if the prompt is empty or too long, an edit, the position, a token or the number
     *     of promoted tokens or of neurons does not fit, target and against are the same, or numbers of the network are
     *     not finite
     */
    public Attribution attribute(Prompt prompt, Intervention edits, AttributionOptions options, Progress progress) {
        var ids = model.encode(prompt);
        int position = Tracer.positions(TraceOptions.Where.at(options.position()), ids.length)[0];
        var against = options.target().against().map(this::token);
        checkCount("promoted", options.promoted(), model.config().vocabularySize());
        checkCount("neurons", options.neurons(), model.config().feedForwardWidth());
        try (var runs = new CleanRuns(model)) {
            var sites = Activations.Keep.ALL.sites();
            var target = options.target().token().map(this::token).orElseGet(() -> token(Measure.Token.ofId(
                    prediction(runs.of(ids, edits.isEmpty() ? sites : Set.of()), position))));
            checkAgainst(against, target);
            var run = runs.of(ids, edits, references, sites);
            var attribution = Attributor.attribute(run, edits, position, target, against, options);
            if (!attribution.isFinite()) {
                throw Overflow.in(run, edits);
            }
            return TotalEffects.add(model, references, ids, edits, attribution, runs, progress);
        }
    }

    private static void checkAgainst(Optional<Trace.Token> against, Trace.Token target) {
        if (against.isPresent() && against.get().equals(target)) {
            throw new IllegalArgumentException("against: %s (expected: another token than the target)"
                    .formatted(Shown.of(target.text())));
        }
    }

    private static void checkCount(String name, int count, int most) {
        if (count < 0 || count > most) {
            throw new IllegalArgumentException("%s: %d (expected: 0 to %d)".formatted(name, count, most));
        }
    }

    /** Returns the likeliest token after a position of a run; of equal ones the one of the lowest id. */
    private int prediction(Activations run, int position) {
        return lens().top(run.residualPost(model.config().layers() - 1).row(position), 1).ids()[0];
    }

    private Trace.Token token(Measure.Token.Fixed token) {
        int id = token.idIn(model.tokenizer());
        return new Trace.Token(id, model.tokenizer().text(id));
    }

    private List<Trace.Token> tokens(int[] ids) {
        return Arrays.stream(ids).mapToObj(id -> new Trace.Token(id, model.tokenizer().text(id))).toList();
    }

    /** Generates {@code tokens} tokens after {@code prompt}, each the most likely one. */
    public Generation generate(String prompt, int tokens) {
        return generate(prompt, Intervention.NONE, tokens);
    }

    /** Generates {@code tokens} tokens after {@code prompt} under {@code edits}, each the most likely one. */
    public Generation generate(String prompt, Intervention edits, int tokens) {
        return generate(prompt, List.of(Continuation.of(edits)), GenerationOptions.greedy(tokens), (c, token) -> true)
                .getFirst();
    }

    /**
     * Generates several continuations of one text, as {@link #generate(Prompt, List, GenerationOptions,
     * Generation.Listener)} has them.
     */
    public List<Generation> generate(String prompt, List<Continuation> continuations, GenerationOptions options,
            Generation.Listener listener) {
        return generate(Prompt.of(prompt), continuations, options, listener);
    }

    /**
     * Several continuations of one prompt. Those whose edits leave the prompt alone, or treat it alike, share its
     * keys and values and are decoded as one batch; each is what it would be alone.
     *
     * @param listener takes tokens as they come, and can end the generation
     * @return the generations, in the order of {@code continuations}
     * @throws IllegalArgumentException if the prompt is empty, prompt and tokens together do not fit the model's
     *     positions, an edit does not fit, or numbers of the network are not finite (after the tokens before that came)
     */
    public List<Generation> generate(Prompt prompt, List<Continuation> continuations, GenerationOptions options,
            Generation.Listener listener) {
        var ids = model.encode(prompt);
        if (options.tokens() > model.config().positions() - ids.length) {
            throw new IllegalArgumentException(
                    "tokens: %d after a prompt of %d (expected: at most %d together in this model)"
                            .formatted(options.tokens(), ids.length, model.config().positions()));
        }
        var groups = new LinkedHashMap<Intervention, List<Integer>>(); // by what holds in the prompt
        var interventions = new ArrayList<CompiledIntervention>();
        try (var resolver = new Resolver(model, references, ids, ids.length + options.tokens() - 1)) {
            for (int c = 0; c < continuations.size(); c++) {
                var intervention = resolver.resolve(continuations.get(c).edits());
                interventions.add(intervention);
                var inPrompt = intervention.touches(0, ids.length) ? continuations.get(c).edits() : Intervention.NONE;
                groups.computeIfAbsent(inPrompt, key -> new ArrayList<>()).add(c);
            }
            var outputs = continuations.stream().map(c -> new Output(model.tokenizer().streamDecoder())).toList();
            for (var group : groups.values()) {
                if (outputs.stream().noneMatch(output -> output.end == Generation.End.CANCELLED)) {
                    generate(ids, group, continuations, interventions, options, outputs, listener);
                }
            }
            return outputs.stream().map(output -> output.generation(model.text(prompt))).toList();
        }
    }

    private void generate(int[] ids, List<Integer> group, List<Continuation> continuations,
            List<CompiledIntervention> interventions,
            GenerationOptions options, List<Output> outputs, Generation.Listener listener) {
        var groupInterventions = group.stream().map(interventions::get).toList();
        var seeds = group.stream().map(c -> continuations.get(c).seed()).toList();
        try (var run = Activations.forward(model, ids, groupInterventions.getFirst(),
                Activations.Keep.KEYS_AND_VALUES)) {
            model.call(session -> {
                try (var decoder = new Decoder(session, run, groupInterventions, seeds, options)) {
                    decoder.run((chosen, logProbabilities) -> {
                        for (int i = 0; i < chosen.length; i++) {
                            if (!outputs.get(group.get(i)).add(group.get(i), chosen[i], logProbabilities[i],
                                    listener)) {
                                outputs.forEach(Output::cancel);
                                return false;
                            }
                        }
                        return group.stream().anyMatch(c -> outputs.get(c).end == null);
                    });
                }
                return null;
            });
        }
        for (int c : group) {
            if (outputs.get(c).overflowed) {
                var soFar = IntStream
                        .concat(IntStream.of(ids), outputs.get(c).tokens.stream().mapToInt(Generation.Token::id))
                        .toArray();
                throw Overflow.in(model, soFar, interventions.get(c), continuations.get(c).edits());
            }
        }
    }

    /** The state of one continuation. */
    private final class Output {
        private final StreamDecoder decoder;
        private final List<Generation.Token> tokens = new ArrayList<>();
        private final StringBuilder text = new StringBuilder();
        private Generation.End end;
        private boolean overflowed;

        Output(StreamDecoder decoder) {
            this.decoder = decoder;
        }

        /**
         * Takes a token, unless this continuation has ended. @return false if the listener ends the generation, or it
         * is no token
         */
        boolean add(int continuation, int id, float logProbability, Generation.Listener listener) {
            if (end != null) {
                return true;
            }
            if (!Float.isFinite(logProbability)) {
                overflowed = true;
                return false;
            }
            var token = new Generation.Token(id, decoder.append(id), logProbability);
            tokens.add(token);
            text.append(token.text());
            if (model.config().endTokens().contains(id)) {
                end = Generation.End.END_OF_TEXT;
            }
            return listener.token(continuation, token);
        }

        void cancel() {
            end = end == null ? Generation.End.CANCELLED : end;
        }

        Generation generation(String prompt) {
            return new Generation(prompt, List.copyOf(tokens), text + decoder.finish(),
                    end == null ? Generation.End.LENGTH : end);
        }
    }

    /**
     * Plans a sweep without computing it.
     *
     * @throws IllegalArgumentException if anything about the sweep does not fit the model or a prompt, or it selects
     *     nothing
     */
    public SweepPlan plan(Sweep sweep) {
        return SweepPlan.of(model, references, sweep);
    }

    /**
     * Does every intervention of a sweep by itself and measures what it changes, chunk by chunk. The same sweep gives
     * the same bits every time. With another {@link Sweep#memory()} it does so on a CPU with the kernels of {@code
     * native/cpu}; on a GPU, or where OpenBLAS multiplies, logits agree within 2·10⁻⁵ of the largest.
     *
     * @param listener takes the effects as they come, and can end the sweep
     * @throws IllegalArgumentException as {@link #plan}
     */
    public void sweep(Sweep sweep, Effects.Listener listener) {
        sweep(plan(sweep), 0, listener);
    }

    /**
     * Computes one chunk of a plan by itself: the same bits in whatever order, and in whatever process on a device of the
     * same {@link org.lmdebugger.device.Device#arithmetic arithmetic}.
     *
     * @throws IndexOutOfBoundsException if the plan has no such chunk
     */
    public Effects effects(SweepPlan plan, int chunk) {
        Objects.checkIndex(chunk, plan.chunks().size());
        var computed = new Effects[1];
        sweep(plan, chunk, effects -> {
            computed[0] = effects;
            return false;
        });
        return computed[0];
    }

    /** Computes a plan from chunk {@code firstChunk} on, for example to resume it. */
    public void sweep(SweepPlan plan, int firstChunk, Effects.Listener listener) {
        SweepEngine.run(model, plan, firstChunk, listener);
    }

    /**
     * Computes a plan on several devices at once: each takes the next chunk that is left, and effects come in order.
     *
     * @param debuggers of the same checkpoint in the same precision, each on a device of its own, all of one kind
     */
    public static void sweep(List<Debugger> debuggers, SweepPlan plan, int firstChunk, Effects.Listener listener) {
        Objects.checkIndex(firstChunk, plan.chunks().size() + 1);
        var kinds = debuggers.stream().map(d -> d.model.fingerprint() + " in " + d.model.device().precision() + " on "
                + d.model.device().arithmetic()).distinct().toList();
        if (kinds.size() != 1) {
            throw new IllegalArgumentException(
                    "debuggers: %s (expected: of one checkpoint in one precision, on devices of one kind)"
                            .formatted(kinds));
        }
        if (debuggers.size() == 1) {
            debuggers.getFirst().sweep(plan, firstChunk, listener);
        } else {
            new MultiDeviceSweep(debuggers.stream().map(Debugger::model).toList(), plan, firstChunk).run(listener);
        }
    }

    /** Returns the logit differences of a pair of prompts. @throws IllegalArgumentException if it does not fit the model */
    public Baseline baseline(Pair pair) {
        return baseline(pair, Intervention.NONE);
    }

    /** Returns the logit differences of a pair of prompts under edits likewise. */
    public Baseline baseline(Pair pair, Intervention edits) {
        return Baseline.of(model, references, pair, edits);
    }

    /**
     * Patches a pair: each part, by itself, becomes in one prompt's run what it is in the other's.
     *
     * @throws IllegalArgumentException if the pair or the parts do not fit the model
     */
    public Grid patch(Pair pair, Patching patching) {
        return patch(pair, patching, Progress.NONE);
    }

    /** Patches a pair as {@link #patch(Pair, Patching)} does. @param progress of the grid's cells */
    public Grid patch(Pair pair, Patching patching, Progress progress) {
        return patch(pair, List.of(patching), progress).getFirst();
    }

    /**
     * Patches a pair in several ways, which differ in the kind of parts, together: equal interventions are computed once.
     *
     * @param progress of the cells of all grids
     * @throws IllegalArgumentException as {@link PatchPlan#of}
     */
    public List<Grid> patch(Pair pair, List<Patching> patchings, Progress progress) {
        return plan(pair, patchings, Sweep.AS_SUITS).grids(progress);
    }

    /** Plans the same without computing it, with {@code memory} bytes of device memory at a time. */
    public PatchPlan plan(Pair pair, List<Patching> patchings, long memory) {
        return PatchPlan.of(model, references, pair, patchings, memory);
    }

    /**
     * Patches each pair of a data set, and averages the results. All pairs are checked before the first is computed.
     *
     * @param progress of the pairs
     * @throws IllegalArgumentException if a pair or the parts do not fit the model, or the pairs have not the same columns
     */
    public Averages patch(List<Pair> pairs, Patching patching, Progress progress) {
        var averaging = averaging(pairs, patching, pair -> "pair " + (pair + 1));
        for (int p = 0; p < pairs.size(); p++) {
            averaging.add(patch(pairs.get(p), patching));
            progress.report(p + 1, pairs.size());
        }
        return averaging.averages();
    }

    /**
     * Returns averages in the making, to which the grid of each pair is added; the pairs are checked, and none is computed.
     *
     * @param names of the pairs by index, for messages
     * @throws IllegalArgumentException as {@link Averaging} does
     */
    public Averaging averaging(List<Pair> pairs, Patching patching, IntFunction<String> names) {
        return new Averaging(model, references, pairs, patching, names);
    }

    /**
     * Patches edges of a pair, each by itself: in the run of one prompt, the edge's receiver alone reads its sender's output
     * of the other prompt's run.
     *
     * @param edges    all of the model's if there is none
     * @param progress of the edges
     * @throws IllegalArgumentException if the pair or an edge does not fit the model
     */
    public EdgeEffects edges(Pair pair, Patching.Direction direction, Collection<Edge> edges, Progress progress) {
        return EdgeEffects.of(model, pair, direction, edges, progress);
    }

    /**
     * Patches edges of each pair of a data set, each by itself, and averages the effects.
     *
     * @param edges    all of the model's if there is none
     * @param progress of the pairs
     * @throws IllegalArgumentException if there is no pair, or one, or an edge, does not fit the model
     */
    public EdgeAverages edges(List<Pair> pairs, Patching.Direction direction, Collection<Edge> edges,
            Progress progress) {
        return EdgeAverages.of(model, pairs, direction, edges, progress);
    }

    /**
     * Estimates the mean effects of edges over pairs from gradients, in a fraction of the time that they take exactly; {@link
     * EdgeEstimates#sieve} chooses those that are worth it.
     *
     * @param edges    all of the model's if there is none
     * @param progress of the pairs
     * @throws IllegalArgumentException if there is no pair, or one, or an edge, does not fit the model
     */
    public EdgeEstimates estimateEdges(List<Pair> pairs, Patching.Direction direction, Collection<Edge> edges,
            Progress progress) {
        return EdgeEstimates.of(model, pairs, direction, edges, progress);
    }

    /** Returns the logit lens: the model's head, to read any rows of the residual stream with. */
    public Lens lens() {
        return Lens.of(model);
    }

    /**
     * The tokens that vectors of yours promote most: the largest of the raw dot products vector·headᵀ, without a
     * LayerNorm, as LM-Debugger reads value vectors.
     *
     * @param vectors rows of width d, on the model's device
     * @param k       how many tokens a vector
     * @throws IllegalArgumentException if a product is not finite
     */
    public List<List<TokenLogit>> project(Tensor vectors, int k) {
        return Lens.raw(model).tokens(vectors, k);
    }
}
