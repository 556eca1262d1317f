package org.lmdebugger.interpret.corpus;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.lmdebugger.checkpoint.Digests;
import org.lmdebugger.model.Gpt2;

/**
 * Documents as the ids of their tokens, each cut into windows: as many of the full length as fit, then a shorter one with
 * the remaining tokens. A window is a text of its own to the model: nothing is padded, and no token attends to another
 * window. An immutable value.
 */
public final class Corpus {
    private static final int MOST = 1 << 30; // tokens

    private final int[] tokens; // of all documents, one after the other
    private final int[] starts; // of each document, then the number of tokens
    private final int window;
    private final List<Window> windows;
    private final String hash;

    /**
     * A part of a document.
     *
     * @param start position of its first token in the document
     */
    public record Window(int document, int start, int length) {
    }

    /** A token of a document. @param position in the document, from 0 */
    record Place(int document, int position) {
    }

    Corpus(int[] tokens, int[] starts, int window) {
        this.tokens = tokens;
        this.starts = starts;
        this.window = window;
        var all = new ArrayList<Window>();
        for (int document = 0; document < documents(); document++) {
            int length = length(document);
            for (int start = 0; start < length; start += window) {
                all.add(new Window(document, start, Math.min(window, length - start)));
            }
        }
        all.sort(Comparator.comparingInt(each -> -each.length())); // stable
        windows = List.copyOf(all);
        hash = hash(tokens, starts, window);
    }

    private static String hash(int[] tokens, int[] starts, int window) {
        var digest = Digests.sha256();
        for (var numbers : new int[][] {{window}, starts, tokens}) {
            for (int from = 0; from < numbers.length; from += 1 << 16) {
                int count = Math.min(1 << 16, numbers.length - from);
                var bytes = ByteBuffer.allocate(Integer.BYTES * count);
                bytes.asIntBuffer().put(numbers, from, count);
                digest.update(bytes);
            }
        }
        return Digests.hex(digest);
    }

    /**
     * Tokenizes documents; those without a token are left out.
     *
     * @param documents texts, read one after the other
     * @param window    tokens of a window, at most as many as the model has positions
     * @throws IllegalArgumentException if there is no token at all, or the window does not fit the model
     */
    public static Corpus of(Gpt2 model, Stream<String> documents, int window) {
        return ofIds(model, documents.map(model.tokenizer()::encode), window);
    }

    /**
     * Makes a corpus of documents that were tokenized before.
     *
     * @param documents ids of the tokens of each
     * @throws IllegalArgumentException as {@link #of}, or if an id is no token's
     */
    public static Corpus ofIds(Gpt2 model, Stream<int[]> documents, int window) {
        if (window < 1 || window > model.config().positions()) {
            throw new IllegalArgumentException("window: %d (expected: 1 to %d, the positions of this model)"
                    .formatted(window, model.config().positions()));
        }
        var tokens = IntStream.builder();
        var starts = IntStream.builder();
        var count = new int[1];
        documents.filter(ids -> ids.length > 0).forEachOrdered(ids -> {
            if (ids.length > MOST - count[0]) {
                throw new IllegalArgumentException(
                        "corpus: more than %,d tokens (expected: at most that)".formatted(MOST));
            }
            starts.add(count[0]);
            for (int id : ids) {
                model.tokenizer().raw(id); // throws for an id that is none
                tokens.add(id);
            }
            count[0] += ids.length;
        });
        if (count[0] == 0) {
            throw new IllegalArgumentException("corpus: empty (expected: a document with at least one token)");
        }
        return new Corpus(tokens.build().toArray(), starts.add(count[0]).build().toArray(), window);
    }

    /** Returns the number of documents. */
    public int documents() {
        return starts.length - 1;
    }

    /** Returns the number of tokens of all documents. */
    public int tokens() {
        return tokens.length;
    }

    /** Returns the number of tokens of a document. */
    public int length(int document) {
        return starts[document + 1] - starts[document];
    }

    /** Returns the tokens of a full window. */
    public int window() {
        return window;
    }

    /** Returns the number of positions that there are means of: the length of the longest window. */
    public int positions() {
        return windows.getFirst().length();
    }

    /**
     * Returns the windows in the order in which they are computed and added up: the longest first, and those of one
     * length in the order of their documents.
     */
    public List<Window> windows() {
        return windows;
    }

    /** Returns the window that has a token. */
    Window window(Place place) {
        int start = place.position() / window * window;
        return new Window(place.document(), start, Math.min(window, length(place.document()) - start));
    }

    /** Returns the ids of a window's tokens. */
    public int[] ids(Window of) {
        return ids(of.document(), of.start(), of.start() + of.length());
    }

    /** Returns the ids of a document's tokens from {@code from} to {@code to}−1. */
    int[] ids(int document, int from, int to) {
        return Arrays.copyOfRange(tokens, starts[document] + from, starts[document] + to);
    }

    /** Returns the SHA-256 of the tokens, the documents' places and the window's length: equal for equal corpora. */
    public String hash() {
        return hash;
    }

    /** Returns the number of windows that have each position, [positions]. */
    int[] counts() {
        var counts = new int[positions()];
        windows.forEach(each -> IntStream.range(0, each.length()).forEach(p -> counts[p]++));
        return counts;
    }

    /** Returns the {@code most} most frequent tokens, or all; of equally frequent ones those of lower id. */
    int[] frequent(int most) {
        var counts = frequencies();
        return IntStream.range(0, counts.length).filter(id -> counts[id] > 0).boxed()
                .sorted(Comparator.comparingInt((Integer id) -> -counts[id]).thenComparingInt(id -> id)).limit(most)
                .mapToInt(id -> id).toArray();
    }

    /** Returns how often each token comes, by id, as far as the largest one. */
    int[] frequencies() {
        var counts = new int[IntStream.of(tokens).max().orElseThrow() + 1];
        IntStream.of(tokens).forEach(id -> counts[id]++);
        return counts;
    }

    /**
     * Draws {@code most} tokens, or all, each with the same probability and of a document of its own as far as there are
     * enough documents: the same for equal corpora, as the seed is their hash.
     */
    List<Place> sample(int most) {
        var random = new SplittableRandom(Long.parseUnsignedLong(hash.substring(0, 16), 16));
        int count = Math.min(most, tokens.length);
        var places = new ArrayList<Place>();
        var drawn = new HashSet<Integer>();
        var taken = new HashSet<Integer>(); // documents
        while (places.size() < count) {
            int token = random.nextInt(tokens.length);
            int found = Arrays.binarySearch(starts, token);
            int document = found >= 0 ? found : -found - 2;
            if (taken.size() == documents() || taken.add(document)) {
                if (drawn.add(token)) {
                    places.add(new Place(document, token - starts[document]));
                }
            }
        }
        return List.copyOf(places);
    }

    /**
     * Draws a window of at least {@code length} tokens: the same for equal seeds.
     *
     * @throws IllegalArgumentException if there is none
     */
    Window draw(int length, long seed) {
        int count = 0; // the windows are sorted by length
        while (count < windows.size() && windows.get(count).length() >= length) {
            count++;
        }
        if (count == 0) {
            throw new IllegalArgumentException("corpus: windows of at most %d tokens (expected: one of %d or more)"
                    .formatted(positions(), length));
        }
        return windows.get(new SplittableRandom(seed).nextInt(count));
    }

    int[] allTokens() {
        return tokens;
    }

    int[] allStarts() {
        return starts;
    }
}
