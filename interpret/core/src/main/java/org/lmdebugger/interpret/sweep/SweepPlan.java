package org.lmdebugger.interpret.sweep;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.lmdebugger.interpret.activations.Activations;
import org.lmdebugger.interpret.activations.References;
import org.lmdebugger.interpret.activations.Resolver;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.Positions;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Gpt2Config;
import org.lmdebugger.model.Site;

/**
 * The work of a sweep: checked, counted and divided into chunks, before anything but the prompts themselves is
 * computed. The same sweep of the same model gives the same plan.
 *
 * @param sweep   what was asked for
 * @param references that edits take means and samples from
 * @param prompts ids of each prompt's tokens
 * @param chunks  what is computed at a time, in order
 * @param bytes   device memory of the largest chunk, beside weights and clean runs
 * @param keepsTexts whether the runs of all texts of corpora stay in memory; if not, those of one chunk do at a time
 * @param hasUnedited whether each chunk has, beside its interventions, one without edits for each place where some of them
 *                    enter the computation. KL is measured from these where a device adds up rows that are computed
 *                    otherwise in another order, so that an edit that changes nothing has a KL of 0
 */
public record SweepPlan(Sweep sweep, References references, List<int[]> prompts, List<Chunk> chunks, long bytes,
        boolean keepsTexts, boolean hasUnedited) {
    /** Bytes that runs of texts may take, for each byte of a chunk. */
    private static final int TEXTS = 4;

    /**
     * Interventions on one prompt that are computed from the same position on: the first that they change or, where
     * there are few, an earlier one.
     *
     * @param prompt        index of the prompt
     * @param from          number of the first of its interventions, in the order in which they are computed
     * @param count         how many
     * @param firstPosition the first position that is computed again; the prompt's length if none is, as the
     *                      interventions cannot change the prediction
     * @param rows          rows of the residual stream: count × positions
     * @param flop          multiplications and additions in matrix products
     */
    public record Chunk(int prompt, int from, int count, int firstPosition, long rows, double flop) {
    }

    /** Number of effects. */
    public long effects() {
        return chunks.stream().mapToLong(Chunk::count).sum();
    }

    public long rows() {
        return chunks.stream().mapToLong(Chunk::rows).sum();
    }

    /** Multiplications and additions in matrix products. */
    public double flop() {
        return chunks.stream().mapToDouble(Chunk::flop).sum();
    }

    /**
     * Returns the interventions of a chunk, in the order of its effects, without computing any.
     *
     * @param model of this plan
     * @throws IndexOutOfBoundsException if there is no such chunk
     */
    public List<Intervention> interventions(Gpt2 model, int chunk) {
        var planned = chunks.get(chunk);
        var ids = prompts.get(planned.prompt());
        try (var resolver = new Resolver(model, references, ids, ids.length)) {
            var items = SweepItems.of(model, sweep, resolver, ids);
            return IntStream.range(planned.from(), planned.from() + planned.count()).mapToObj(items::edits).toList();
        }
    }

    /** Plans a sweep whose edits take nothing from corpora. */
    public static SweepPlan of(Gpt2 model, Sweep sweep) {
        return of(model, References.NONE, sweep);
    }

    /** @param references that edits take means and samples from */
    public static SweepPlan of(Gpt2 model, References references, Sweep sweep) {
        check(sweep);
        var prompts = new ArrayList<int[]>();
        var chunks = new ArrayList<Chunk>();
        long bytes = 0;
        boolean keeps = true;
        boolean unedited = sweep.measures().contains(Measure.kl()) && model.device().traits().sumsDependOnShape();
        var layouts = IntStream.range(0, sweep.prompts().size())
                .mapToObj(prompt -> new MeasureReader.Layout(model, sweep, prompt)).toList(); // checked before any work
        for (var prompt : sweep.prompts()) {
            var readout = layouts.get(prompts.size());
            var ids = model.encode(prompt);
            prompts.add(ids);
            try (var resolver = new Resolver(model, references, ids, ids.length)) {
                var items = SweepItems.of(model, sweep, resolver, ids);
                items.check(resolver);
                long texts = texts(model, sweep, items, ids.length);
                boolean all = items.areTextsAtMost(texts);
                keeps &= all;
                bytes = Math.max(bytes, chunks(model, readout, sweep, prompts.size() - 1, ids.length, items,
                        all ? Long.MAX_VALUE : texts, unedited, chunks));
            }
        }
        return new SweepPlan(sweep, references, List.copyOf(prompts), List.copyOf(chunks), bytes, keeps,
                unedited);
    }

    /** Returns how many texts of corpora have their runs in memory at a time, with attention weights on the host. */
    private static long texts(Gpt2 model, Sweep sweep, SweepItems items, int length) {
        var config = model.config();
        var sites = items.sitesTaken();
        long weights = sites.contains(Site.QUERY) && sites.contains(Site.KEY)
                ? (long) config.layers() * config.heads() * length * length * Float.BYTES
                : 0;
        return Math.max(1,
                (long) (TEXTS * (double) sweep.memoryOn(model.device())
                        / (Activations.bytes(config, length, sites) + weights)));
    }

    private static void check(Sweep sweep) {
        if (sweep.prompts().isEmpty()) {
            throw new IllegalArgumentException("prompts: none (expected: at least one)");
        }
        if (sweep.measures().isEmpty()) {
            throw new IllegalArgumentException("measures: none (expected: at least one, such as kl)");
        }
        if (sweep.parts() != null && sweep.operations().isEmpty()) {
            throw new IllegalArgumentException("operations: none (expected: at least one, such as off)");
        }
        if (Set.copyOf(sweep.operations()).size() < sweep.operations().size()) {
            throw new IllegalArgumentException("operations: %s (expected: each once)".formatted(sweep.operations()));
        }
        if (sweep.base().list().stream().anyMatch(edit -> edit.positions() == Positions.GENERATED)
                || sweep.positions() == Positions.GENERATED) {
            throw new IllegalArgumentException("positions: generated (expected: positions of the prompt)");
        }
    }

    /**
     * Divides one prompt's interventions; returns the bytes of its largest chunk.
     *
     * @param mostTexts of corpora that a chunk takes numbers from; {@link Long#MAX_VALUE} if there is no bound
     */
    private static long chunks(Gpt2 model, MeasureReader.Layout readout, Sweep sweep, int prompt, int length,
            SweepItems items, long mostTexts, boolean unedited, List<Chunk> chunks) {
        var config = model.config();
        long memory = sweep.memoryOn(model.device());
        long largest = 0;
        for (int from = 0; from < items.count();) {
            int first = items.entry(from).position();
            int positions = length - first;
            int to = from;
            long tables = 0;
            long bytes = 0;
            long sequences = 0;
            double flop = 0;
            double one = 0;
            var texts = new HashSet<SweepItems.Text>();
            while (to < items.count() && items.entry(to).position() == first) {
                boolean elsewhere = to == from || !items.entersWithPrevious(to);
                long next = sequences + (unedited && elsewhere ? 2 : 1);
                tables += items.tableBytes(to);
                long withNext = SweepBuffers.bytes(config, next, positions) + readout.bytes(next) + tables;
                if (mostTexts < Long.MAX_VALUE) {
                    items.texts(to).forEach(texts::add);
                }
                if (to > from && (withNext > memory || texts.size() > mostTexts)) {
                    break;
                }
                if (elsewhere) {
                    one = flop(config, readout, items.entry(to), positions, length);
                    flop += unedited ? one : 0;
                }
                flop += items.repeated(to) < from ? one : 0;
                sequences = next;
                bytes = withNext;
                to++;
            }
            chunks.add(new Chunk(prompt, from, to - from, first, (long) (to - from) * positions, flop));
            largest = Math.max(largest, bytes);
            from = to;
        }
        return largest;
    }

    /**
     * Returns the operations of one intervention: the rest of the layer where it enters, whole layers, the top layer
     * with one row but for keys and values, and the head.
     */
    private static double flop(Gpt2Config config, MeasureReader.Layout readout, Entry entry, int positions,
            int length) {
        if (positions == 0) {
            return 0;
        }
        double d = config.width();
        double keysAndValues = 4 * d * d;
        double queries = 2 * d * d;
        double attention = 4 * d * length;
        double attentionOut = 2 * d * d;
        double ffnOut = 2 * d * config.feedForwardWidth();
        double row = queries + attention + attentionOut + 2 * ffnOut; // but for keys and values
        int above = config.layers() - 1 - entry.layer();
        double first = switch (entry.site()) { // the rest of a row in the layer where it enters
            case RESIDUAL_PRE -> row;
            case QUERY, KEY, VALUE -> attention + attentionOut + 2 * ffnOut;
            case Z -> attentionOut + 2 * ffnOut;
            case ATTENTION_OUT, RESIDUAL_MID -> 2 * ffnOut;
            case COEFFICIENTS -> ffnOut;
            case FFN_OUT, RESIDUAL_POST -> 0;
        };
        double total = (above == 0 ? 1 : positions) * first
                + (entry.site() == Site.RESIDUAL_PRE ? positions * keysAndValues : 0)
                + Math.max(0, above - 1) * positions * (row + keysAndValues)
                + (above == 0 ? 0 : row + positions * keysAndValues);
        return total + 2 * d * readout.columns();
    }
}
