package org.lmdebugger.interpret;

import java.util.Collections;
import java.util.Locale;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Where an edit holds. Text form: {@code all}, {@code prompt}, {@code generated}, {@code last}, or indices such as
 * {@code 3}, {@code 1,4} and {@code 2..5} (both ends included), also mixed: {@code 0,2..5}.
 */
public sealed interface Positions {
    /** Every position, prompt and generated. */
    Positions ALL = Named.ALL;
    /** The prompt's positions. */
    Positions PROMPT = Named.PROMPT;
    /** The positions after the prompt. */
    Positions GENERATED = Named.GENERATED;
    /** The last position of the prompt, also while text is generated after it. */
    Positions LAST = Named.LAST;

    /** Whether the edit holds at {@code position} of a text whose prompt has {@code promptLength} tokens. */
    boolean contains(int position, int promptLength);

    /** The positions at these indices, from 0. */
    static Positions at(int... indices) {
        var set = new TreeSet<Integer>();
        for (int index : indices) {
            set.add(index);
        }
        return new Indices(set);
    }

    /** @throws IllegalArgumentException if {@code text} is not the text form of positions */
    static Positions parse(String text) {
        for (var named : Named.values()) {
            if (named.toString().equals(text)) {
                return named;
            }
        }
        var set = new TreeSet<Integer>();
        for (var part : text.split(",", -1)) {
            var range = Indices.RANGE.matcher(part);
            if (!range.matches()) {
                throw wrong(text);
            }
            int first = Integer.parseInt(range.group(1));
            int last = range.group(2) == null ? first : Integer.parseInt(range.group(2));
            if (last < first || last - first > 1 << 20) {
                throw wrong(text);
            }
            for (int position = first; position <= last; position++) {
                set.add(position);
            }
        }
        return new Indices(set);
    }

    private static IllegalArgumentException wrong(String text) {
        return new IllegalArgumentException(
                "positions: " + text + " (expected: all, prompt, generated, last, or indices such as 3 or 1,4 or 2..5)");
    }

    /** Positions that depend on where the prompt ends. */
    enum Named implements Positions {
        ALL, PROMPT, GENERATED, LAST;

        @Override
        public boolean contains(int position, int promptLength) {
            return switch (this) {
                case ALL -> true;
                case PROMPT -> position < promptLength;
                case GENERATED -> position >= promptLength;
                case LAST -> position == promptLength - 1;
            };
        }

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** A set of indices, from 0. */
    record Indices(SortedSet<Integer> indices) implements Positions {
        private static final Pattern RANGE = Pattern.compile("(\\d{1,9})(?:\\.\\.(\\d{1,9}))?");

        public Indices {
            if (indices.isEmpty() || indices.first() < 0) {
                throw new IllegalArgumentException("positions: " + indices + " (expected: at least one, none negative)");
            }
            indices = Collections.unmodifiableSortedSet(new TreeSet<>(indices));
        }

        @Override
        public boolean contains(int position, int promptLength) {
            return indices.contains(position);
        }

        @Override
        public String toString() {
            return indices.stream().map(String::valueOf).collect(Collectors.joining(","));
        }
    }
}
