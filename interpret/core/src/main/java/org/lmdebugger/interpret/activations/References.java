package org.lmdebugger.interpret.activations;

import org.lmdebugger.model.Site;

/** Corpora that edits take means and samples from ({@code =mean:NAME}), by name. */
@FunctionalInterface
public interface References {
    /** No corpora. */
    References NONE = name -> {
        throw new IllegalArgumentException(
                "corpus: %s: not there (expected: none, as this debugger was made without corpora)".formatted(name));
    };

    /** Returns a corpus. @throws IllegalArgumentException if there is none of this name for the model */
    Reference find(String name);

    /** Means of a model's activations over a corpus, and its texts. */
    interface Reference {
        /** Returns a hash of the texts, equal for equal corpora. */
        String hash();

        /** Returns the number of positions that there are means of. */
        int positions();

        /** Returns the mean row of a site over all tokens, [n]. */
        float[] mean(Site site, int layer);

        /** Returns the mean row of a site over the tokens at one position of their windows, [n]. */
        float[] meanAt(Site site, int layer, int position);

        /**
         * Returns the ids of a window of at least {@code length} tokens, drawn by {@code seed}.
         *
         * @throws IllegalArgumentException if there is none
         */
        int[] draw(int length, long seed);
    }
}
