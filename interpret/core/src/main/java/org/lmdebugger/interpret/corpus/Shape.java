package org.lmdebugger.interpret.corpus;

import static org.lmdebugger.device.ElementType.F32;
import static org.lmdebugger.device.ElementType.F64;
import static org.lmdebugger.device.ElementType.I32;

import java.lang.foreign.MemorySegment;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Histogram;
import org.lmdebugger.model.Gpt2Config;
import org.lmdebugger.model.Site;

/**
 * The sizes of what is kept of each layer.
 *
 * @param width     d
 * @param neurons   f
 * @param positions T, of the longest window
 * @param tokens    K, the number of tokens that there are means of
 * @param samples   M, the number of tokens that were drawn
 */
record Shape(int layers, int heads, int width, int neurons, int positions, int tokens, int samples) {
    /** Examples of a neuron at either end. */
    static final int EXAMPLES = 20;
    /** Tokens before and after the token of an example that are kept with it. */
    static final int CONTEXT = 20;
    /** Tokens of an example. */
    static final int SPAN = 2 * CONTEXT + 1;
    /** Most frequent tokens of a corpus that there are means of. */
    static final int TOKENS = 512;
    /** Tokens that are drawn from a corpus. */
    static final int SAMPLES = 50;

    static Shape of(Gpt2Config config, Corpus corpus) {
        return new Shape(config.layers(), config.heads(), config.width(), config.feedForwardWidth(),
                corpus.positions(), corpus.frequent(TOKENS).length, Math.min(SAMPLES, corpus.tokens()));
    }

    /** A table of a layer's numbers, in the order in which they lie in a file. */
    enum Section {
        /** Sums of each site's rows, by position, [T, 9d+f], of F64. */
        POSITIONS(F64),
        /** Sums of each unit, [f+H+2]: neurons, heads, attention, feed-forward layer. */
        SUMS(F64),
        /** Sums of the squares of each unit. */
        SQUARES(F64),
        /** Sums of each neuron's coefficients at the frequent tokens, [K, f]. */
        TOKENS(F64),
        /** The smallest number of each unit. */
        MIN(F32),
        /** The largest number of each unit. */
        MAX(F32),
        /** Counts of each unit's numbers in each bin, [f+H+2, 64]. */
        HISTOGRAMS(I32),
        /** Coefficients of each neuron's largest examples, largest first, then of its smallest, [2, f, k]. */
        VALUES(F32),
        /** Documents of the examples, −1 where there are fewer than k. */
        DOCUMENTS(I32),
        /** Positions of the examples in their documents. */
        PLACES(I32),
        /** Coefficients at the tokens around each example, [2, f, k, 41]. */
        CONTEXTS(F32),
        /** Coefficients of all neurons at the tokens around each token that was drawn, [M, 41, f]. */
        SAMPLES(F32);

        final ElementType type;

        Section(ElementType type) {
            this.type = type;
        }
    }

    /** Returns the number of elements of a section of one layer. */
    int size(Section section) {
        return Math.toIntExact(switch (section) {
            case POSITIONS -> (long) positions * columns();
            case SUMS, SQUARES, MIN, MAX -> units();
            case TOKENS -> (long) tokens * neurons;
            case HISTOGRAMS -> (long) units() * Histogram.BINS;
            case VALUES, DOCUMENTS, PLACES -> 2L * neurons * EXAMPLES;
            case CONTEXTS -> 2L * neurons * EXAMPLES * SPAN;
            case SAMPLES -> (long) samples * SPAN * neurons;
        });
    }

    /** Returns the rows of a section of one layer, as a matrix. */
    int rows(Section section) {
        return switch (section) {
            case POSITIONS -> positions;
            case SUMS, SQUARES, MIN, MAX -> 1;
            case TOKENS -> tokens;
            case HISTOGRAMS -> units();
            case VALUES, DOCUMENTS, PLACES, CONTEXTS -> 2 * neurons;
            case SAMPLES -> samples * SPAN;
        };
    }

    private long bytes(Section section) {
        return (long) section.type.bytes() * size(section);
    }

    /** Returns the bytes of one layer. */
    long layerBytes() {
        long bytes = 0;
        for (var section : Section.values()) {
            bytes += bytes(section);
        }
        return bytes;
    }

    /** Returns a section of a layer. */
    MemorySegment part(MemorySegment layer, Section section) {
        return layer.asSlice(offset(section), bytes(section));
    }

    /** Returns where a section begins in its layer, in bytes. */
    long offset(Section wanted) {
        long bytes = 0;
        for (var section : Section.values()) {
            if (section == wanted) {
                break;
            }
            bytes += bytes(section);
        }
        return bytes;
    }

    /** Returns the number of units of a layer: neurons, heads, attention, feed-forward layer. */
    int units() {
        return neurons + heads + 2;
    }

    /** Returns the columns of a position's sums: those of all sites, side by side. */
    int columns() {
        return 9 * width + neurons;
    }

    int columns(Site site) {
        return site == Site.COEFFICIENTS ? neurons : width;
    }

    /** Returns the first column of a site's sums. */
    int firstColumn(Site wanted) {
        int column = 0;
        for (var site : Site.values()) {
            if (site == wanted) {
                break;
            }
            column += columns(site);
        }
        return column;
    }
}
