package org.lmdebugger.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.IntStream;

/**
 * Byte-level byte-pair encoding (Sennrich et al., 2016): of the adjacent pairs that have a merge, the one of lowest
 * rank is merged first, and of equal ones the leftmost. It takes time O(n·log n) in the length of a piece.
 */
final class BytePairEncoding {
    private static final long NO_PAIR = -1;
    private static final int NONE = -1;
    private static final int MOST_KEPT = 10_000;
    private static final int LONGEST_KEPT = 64; // characters

    private final int[] byteIds = new int[256]; // NONE where the vocabulary lacks the byte
    private final int[] merged; // by rank, the token that the merge makes
    private final long[] pairs; // a hash table with open addressing
    private final int[] ranks; // of the pairs at the same indices
    private final int unknown; // the token for a byte that the vocabulary lacks, or NONE if it is left out
    private final boolean fuseUnknown; // several such bytes in a row are one token
    private final Map<String, Integer> whole; // pieces that are tokens without any merge
    private final Map<String, int[]> kept = new ConcurrentHashMap<>(); // cache of the tokens of pieces

    BytePairEncoding(Vocabulary vocabulary) {
        var ids = vocabulary.ids();
        for (int b = 0; b < 256; b++) {
            byteIds[b] = ids.getOrDefault(ByteAlphabet.spell((byte) b), NONE);
        }
        int merges = vocabulary.merges().size();
        merged = new int[merges];
        pairs = new long[Math.max(2, Integer.highestOneBit(merges) << 2)]; // a quarter to a half is used
        ranks = new int[pairs.length];
        Arrays.fill(pairs, NO_PAIR);
        for (int rank = 0; rank < merges; rank++) {
            var merge = vocabulary.merges().get(rank);
            merged[rank] = ids.get(merge.joined());
            long pair = pair(ids.get(merge.left()), ids.get(merge.right()));
            int place = place(pair);
            pairs[place] = pair;
            ranks[place] = rank; // a repeated pair has its last rank, as in Hugging Face's tokenizers
        }
        unknown = vocabulary.unknown() == null ? NONE : ids.get(vocabulary.unknown());
        fuseUnknown = vocabulary.fuseUnknown();
        whole = vocabulary.ignoreMerges() ? ids : Map.of();
    }

    private static long pair(int left, int right) {
        return (long) left << 32 | right;
    }

    /** Returns the index of {@code pair} in the table, or of the free place for it. */
    private int place(long pair) {
        int mask = pairs.length - 1;
        int place = (int) (pair * 0x9E3779B97F4A7C15L >>> 40) & mask;
        while (pairs[place] != pair && pairs[place] != NO_PAIR) {
            place = place + 1 & mask;
        }
        return place;
    }

    private int rank(int left, int right) {
        int place = place(pair(left, right));
        return pairs[place] == NO_PAIR ? NONE : ranks[place];
    }

    /** Adds the tokens of a piece of a text to {@code out}. */
    void encode(String piece, IntStream.Builder out) {
        var tokens = kept.get(piece);
        if (tokens == null) {
            tokens = tokens(piece.getBytes(StandardCharsets.UTF_8));
            if (piece.length() <= LONGEST_KEPT && kept.size() < MOST_KEPT) {
                kept.put(piece, tokens);
            }
        }
        for (int token : tokens) {
            out.add(token);
        }
    }

    private int[] tokens(byte[] bytes) {
        var id = whole.isEmpty() ? null : whole.get(ByteAlphabet.spell(bytes));
        return id != null ? new int[] {id} : merge(symbols(bytes));
    }

    /** Returns the token of each byte. */
    private int[] symbols(byte[] bytes) {
        var symbols = new int[bytes.length];
        int count = 0;
        boolean afterUnknown = false;
        for (byte b : bytes) {
            int id = byteIds[b & 0xff];
            boolean isUnknown = id == NONE;
            if (!isUnknown) {
                symbols[count++] = id;
            } else if (unknown != NONE && !(fuseUnknown && afterUnknown)) {
                symbols[count++] = unknown;
            }
            afterUnknown = isUnknown;
        }
        return count == symbols.length ? symbols : Arrays.copyOf(symbols, count);
    }

    /** Merges {@code symbols}, a linked list in which removed members become NONE. */
    private int[] merge(int[] symbols) {
        int length = symbols.length;
        var previous = new int[length];
        var next = new int[length];
        var queue = new LongQueue(2 * length); // rank in the upper half, position of the left symbol in the lower
        for (int i = 0; i < length; i++) {
            previous[i] = i - 1;
            next[i] = i + 1;
            offer(queue, symbols, i, i + 1);
        }
        while (!queue.isEmpty()) {
            long first = queue.remove();
            int rank = (int) (first >>> 32);
            int left = (int) first;
            int right = next[left];
            if (symbols[left] == NONE || right == length || rank(symbols[left], symbols[right]) != rank) {
                continue; // stale: one of them has been merged with another since
            }
            symbols[left] = merged[rank];
            symbols[right] = NONE;
            next[left] = next[right];
            if (next[left] < length) {
                previous[next[left]] = left;
            }
            offer(queue, symbols, previous[left], left);
            offer(queue, symbols, left, next[left]);
        }
        return Arrays.stream(symbols).filter(symbol -> symbol != NONE).toArray();
    }

    private void offer(LongQueue queue, int[] symbols, int left, int right) {
        int rank = left < 0 || right == symbols.length ? NONE : rank(symbols[left], symbols[right]);
        if (rank != NONE) {
            queue.add((long) rank << 32 | left);
        }
    }

    /** A priority queue of numbers, smallest first: a binary heap without boxing. */
    private static final class LongQueue {
        private long[] heap;
        private int size;

        LongQueue(int capacity) {
            heap = new long[capacity];
        }

        boolean isEmpty() {
            return size == 0;
        }

        void add(long number) {
            if (size == heap.length) {
                heap = Arrays.copyOf(heap, 2 * size);
            }
            int at = size++;
            for (int parent; at > 0 && heap[parent = (at - 1) / 2] > number; at = parent) {
                heap[at] = heap[parent];
            }
            heap[at] = number;
        }

        long remove() {
            long first = heap[0];
            long last = heap[--size];
            int at = 0;
            for (int child; (child = 2 * at + 1) < size; at = child) {
                child += child + 1 < size && heap[child + 1] < heap[child] ? 1 : 0;
                if (heap[child] >= last) {
                    break;
                }
                heap[at] = heap[child];
            }
            heap[at] = last;
            return first;
        }
    }
}
