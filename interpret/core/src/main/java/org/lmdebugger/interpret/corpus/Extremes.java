package org.lmdebugger.interpret.corpus;

import java.util.Arrays;
import org.lmdebugger.interpret.corpus.Corpus.Window;

/**
 * The {@value Shape#EXAMPLES} largest and smallest coefficients of each neuron of a layer, at most one of each document, with
 * the coefficients around them. Equal ones are ordered by document, then by position, so that the order in which windows
 * come does not matter.
 */
final class Extremes {
    static final int LARGEST = 0;
    static final int SMALLEST = 1;
    private static final int K = Shape.EXAMPLES;
    private static final int NONE = -1;

    final float[] values; // [2, f, k], as all
    final int[] documents;
    final int[] places; // positions in the document
    final float[] contexts; // [2, f, k, span]

    private final int neurons;

    Extremes(int neurons) {
        this.neurons = neurons;
        values = new float[2 * neurons * K];
        documents = new int[values.length];
        places = new int[values.length];
        contexts = new float[values.length * Shape.SPAN];
        Arrays.fill(documents, NONE);
    }

    /** Returns whether {@link #offer} may take a coefficient. */
    boolean mayTake(int side, int neuron, float value) {
        int last = (side * neurons + neuron + 1) * K - 1;
        return documents[last] == NONE || (side == LARGEST ? value >= values[last] : value <= values[last]);
    }

    /**
     * Takes the best coefficient of a window, if it belongs to the best of all documents.
     *
     * @param position of it in the window
     * @param rows     that have the window's coefficients, from {@code first} on, [length, f]
     */
    void offer(int side, int neuron, float value, Window window, int position, float[] rows, int first, int f) {
        int list = (side * neurons + neuron) * K;
        int place = window.start() + position;
        int last = list + K - 1;
        if (documents[last] != NONE && !isBefore(side, value, window.document(), place, last)) {
            return;
        }
        int at = list;
        while (at < last && documents[at] != window.document()) {
            at++;
        }
        if (documents[at] == window.document() && !isBefore(side, value, window.document(), place, at)) {
            return;
        }
        for (; at > list
                && (documents[at - 1] == NONE || isBefore(side, value, window.document(), place, at - 1)); at--) {
            move(at - 1, at);
        }
        values[at] = value;
        documents[at] = window.document();
        places[at] = place;
        for (int i = 0; i < Shape.SPAN; i++) {
            int token = position + i - Shape.CONTEXT;
            boolean there = token >= 0 && token < window.length();
            contexts[at * Shape.SPAN + i] = there ? rows[first + token * f + neuron] : 0;
        }
    }

    private void move(int from, int to) {
        values[to] = values[from];
        documents[to] = documents[from];
        places[to] = places[from];
        System.arraycopy(contexts, from * Shape.SPAN, contexts, to * Shape.SPAN, Shape.SPAN);
    }

    /** Returns whether a coefficient comes before entry {@code at}, which there is. */
    private boolean isBefore(int side, float value, int document, int place, int at) {
        if (value != values[at]) {
            return side == LARGEST ? value > values[at] : value < values[at];
        }
        return document != documents[at] ? document < documents[at] : place < places[at];
    }
}
