package org.lmdebugger.interpret.edge;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;
import org.lmdebugger.interpret.edge.Receiver.Input;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.patch.Patching.Direction;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.SweepBuffers;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Gpt2Config;

/**
 * The work of patching edges of one pair: checked, counted and divided into chunks, before anything is computed. The same
 * edges of the same pair and model give the same plan.
 *
 * @param direction     which of the prompts runs, and which gives the senders' outputs
 * @param edges         each once, in the order in which they are computed
 * @param chunks        what is computed at a time, in order
 * @param firstPosition the first position at which the prompts differ; their length if they do not
 * @param measure       the number that is measured in place of the pair's logit difference
 */
public record EdgePlan(Pair pair, Direction direction, List<Edge> edges, List<Chunk> chunks, int firstPosition,
        Optional<Measure> measure) {
    /** Edges that share few senders: the inputs of a sender's receivers in one layer come from the same products. */
    private static final Comparator<Edge> BY_SENDER = Comparator.comparingInt(EdgePlan::stage)
            .thenComparing(Edge::sender).thenComparing(Edge::receiver);
    /** Edges that enter the computation at the same place are neighbours. */
    private static final Comparator<Edge> BY_ENTRY = Comparator.comparingInt(EdgePlan::stage)
            .thenComparing(Edge::receiver).thenComparing(Edge::sender);

    /**
     * Edges that are computed together.
     *
     * @param from      number of the first
     * @param count     how many
     * @param positions rows of each on its way up: 1 where only the last row's prediction depends on the receiver, none
     *                  where the prompts are the same
     * @param flop      multiplications and additions in matrix products
     */
    public record Chunk(int from, int count, int positions, double flop) {
    }

    /** Returns the place where an edge's rows enter the computation, as a number that grows with it. */
    private static int stage(Edge edge) {
        var receiver = edge.receiver();
        return receiver == Receiver.LOGITS ? Integer.MAX_VALUE
                : 2 * receiver.layer() + (receiver.input() == Input.FFN ? 1 : 0);
    }

    /**
     * Plans with chunks that suit the model's device.
     *
     * @param edges all of the model's if there is none
     * @throws IllegalArgumentException if the pair or an edge does not fit the model
     */
    public static EdgePlan of(Gpt2 model, Pair pair, Direction direction, Collection<Edge> edges) {
        return of(model, pair, direction, edges, Optional.empty());
    }

    /** Plans likewise. @param measure the number that is measured in place of the pair's logit difference */
    public static EdgePlan of(Gpt2 model, Pair pair, Direction direction, Collection<Edge> edges,
            Optional<Measure> measure) {
        return of(model, pair, direction, edges, model.device().traits().chunkBytes(), measure);
    }

    /**
     * Plans as {@link #of(Gpt2, Pair, Direction, Collection)} does.
     *
     * @param memory  bytes that a chunk may take
     * @param measure the number that is measured in place of the pair's logit difference: {@code target} is the pair's first
     *                answer and {@code against} its first wrong token; KL is from the prompt that runs
     */
    public static EdgePlan of(Gpt2 model, Pair pair, Direction direction, Collection<Edge> edges, long memory,
            Optional<Measure> measure) {
        if (memory < 1) {
            throw new IllegalArgumentException("memory: %d bytes (expected: at least 1)".formatted(memory));
        }
        var config = model.config();
        var ids = pair.ids(model);
        int mismatch = Arrays.mismatch(ids.clean(), ids.corrupted());
        int first = mismatch < 0 ? ids.length() : mismatch;
        edges.forEach(edge -> edge.check(config));
        measure.ifPresent(each -> PairReader.check(model, pair, each));
        var sorted = (edges.isEmpty() ? Edge.all(config) : new TreeSet<>(edges)).stream().sorted(BY_SENDER).toList();
        var all = new ArrayList<Edge>();
        var chunks = new ArrayList<Chunk>();
        while (all.size() < sorted.size()) {
            var chunk = chunk(config, sorted.subList(all.size(), sorted.size()), ids.length() - first, memory);
            int positions = Math.min(ids.length() - first, isTop(config, chunk.getFirst()) ? 1 : Integer.MAX_VALUE);
            chunks.add(new Chunk(all.size(), chunk.size(), positions,
                    flop(config, chunk, positions, ids.length() - first, ids.length())));
            chunk.stream().sorted(BY_ENTRY).forEach(all::add);
        }
        return new EdgePlan(pair, direction, List.copyOf(all), List.copyOf(chunks), first, measure);
    }

    /** Returns the first edges, as many as fit the memory, but at least one. */
    private static List<Edge> chunk(Gpt2Config config, List<Edge> edges, int changed, long memory) {
        boolean top = isTop(config, edges.getFirst());
        int positions = top ? Math.min(1, changed) : changed;
        var senders = new HashSet<List<?>>();
        int count = 0;
        while (count < edges.size() && isTop(config, edges.get(count)) == top) {
            senders.add(List.of(stage(edges.get(count)), edges.get(count).sender()));
            long bytes = SweepBuffers.bytes(config, count + 1, positions)
                    + 4L * senders.size() * changed * 6 * config.width();
            if (count > 0 && bytes > memory) {
                break;
            }
            count++;
        }
        return edges.subList(0, count);
    }

    /** Returns whether only the last row goes on after the receiver. */
    private static boolean isTop(Gpt2Config config, Edge edge) {
        return edge.receiver().layer() >= config.layers() - 1;
    }

    private static double flop(Gpt2Config config, List<Edge> edges, int positions, int changed, int length) {
        double d = config.width();
        double keysAndValues = 4 * d * d;
        double ffn = 4 * d * config.feedForwardWidth();
        double attention = 4 * d * length;
        double row = 2 * d * d + attention + 2 * d * d + ffn; // but for keys and values
        var products = new HashSet<List<?>>();
        double sum = 0;
        for (var edge : edges) {
            var receiver = edge.receiver();
            sum += 2 * d * config.vocabularySize();
            if (positions == 0 || receiver == Receiver.LOGITS) {
                continue;
            }
            int above = config.layers() - 1 - receiver.layer();
            sum += positions * (receiver.input() == Input.FFN ? ffn : 2 * d * d + ffn);
            sum += Math.max(0, above - 1) * positions * (row + keysAndValues);
            sum += above == 0 ? 0 : row + positions * keysAndValues;
            if (receiver.input().isOfHead()
                    && products.add(List.of(receiver.layer(), receiver.input(), edge.sender()))) {
                sum += changed * 2 * d * d + positions * attention;
            }
        }
        return sum;
    }

    /** Multiplications and additions in matrix products. */
    public double flop() {
        return chunks.stream().mapToDouble(Chunk::flop).sum();
    }

    /** Returns the edges of a chunk. */
    List<Edge> edges(Chunk chunk) {
        return edges.subList(chunk.from(), chunk.from() + chunk.count());
    }
}
