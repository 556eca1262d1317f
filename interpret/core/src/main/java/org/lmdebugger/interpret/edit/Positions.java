package org.lmdebugger.interpret.edit;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.lmdebugger.text.Shown;

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
    /** Every position of the prompt, one intervention of a sweep for each; edits have no such positions. */
    Positions EACH = Named.EACH;

    /** Returns whether the edit holds at {@code position} of a text whose prompt has {@code promptLength} tokens. */
    boolean contains(int position, int promptLength);

    /** Returns how many positions from {@code from} to {@code to} − 1 it holds at. */
    int count(int from, int to, int promptLength);

    /** Returns the positions at these indices, from 0. */
    static Positions at(int... indices) {
        return new Ranges(Arrays.stream(indices).mapToObj(index -> new Range(index, index)).toList());
    }

    /** @throws IllegalArgumentException if {@code text} is not the text form of positions */
    static Positions parse(String text) {
        for (var named : Named.values()) {
            if (named.toString().equals(text)) {
                return named;
            }
        }
        var ranges = new ArrayList<Range>();
        for (var part : text.split(",", -1)) {
            var ends = Range.TEXT.matcher(part);
            if (!ends.matches()) {
                throw wrong(text);
            }
            int first = Integer.parseInt(ends.group(1));
            int last = ends.group(2) == null ? first : Integer.parseInt(ends.group(2));
            if (last < first) {
                throw wrong(text);
            }
            ranges.add(new Range(first, last));
        }
        return new Ranges(ranges);
    }

    private static IllegalArgumentException wrong(String text) {
        return new IllegalArgumentException("positions: " + Shown.of(text)
                + " (expected: all, prompt, generated, last, in a sweep each, or indices such as 3 or 1,4 or 2..5)");
    }

    /** Positions that depend on where the prompt ends. */
    enum Named implements Positions {
        ALL, PROMPT, GENERATED, LAST, EACH;

        @Override
        public boolean contains(int position, int promptLength) {
            return switch (this) {
                case ALL -> true;
                case PROMPT, EACH -> position < promptLength;
                case GENERATED -> position >= promptLength;
                case LAST -> position == promptLength - 1;
            };
        }

        @Override
        public int count(int from, int to, int promptLength) {
            return switch (this) {
                case ALL -> to - from;
                case PROMPT, EACH -> Math.max(0, Math.min(to, promptLength) - from);
                case GENERATED -> Math.max(0, to - Math.max(from, promptLength));
                case LAST -> from < promptLength && promptLength <= to ? 1 : 0;
            };
        }

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** Returns the indices from {@code first} to {@code last}, both included. */
    record Range(int first, int last) {
        private static final Pattern TEXT = Pattern.compile("(\\d{1,9})(?:\\.\\.(\\d{1,9}))?");
        /** Ranges that overlap count as equal. */
        private static final Comparator<Range> APART = (a, b) -> a.last < b.first ? -1 : a.first > b.last ? 1 : 0;

        public Range {
            if (first < 0 || last < first) {
                throw new IllegalArgumentException(
                        "positions: %d..%d (expected: from 0 on, ascending)".formatted(first, last));
            }
        }

        @Override
        public String toString() {
            return first == last ? String.valueOf(first) : first + (last == first + 1 ? "," : "..") + last;
        }
    }

    /**
     * Indices, from 0, as ranges.
     *
     * @param ranges at least one; kept ascending, with those that overlap or touch joined
     */
    record Ranges(List<Range> ranges) implements Positions {
        public Ranges {
            if (ranges.isEmpty()) {
                throw new IllegalArgumentException("positions: none (expected: at least one)");
            }
            ranges = joined(ranges);
        }

        private static List<Range> joined(List<Range> ranges) {
            var joined = new ArrayList<Range>();
            for (var range : ranges.stream().sorted(Comparator.comparingInt(Range::first)).toList()) {
                if (joined.isEmpty() || joined.getLast().last < range.first - 1) {
                    joined.add(range);
                } else {
                    var before = joined.removeLast();
                    joined.add(new Range(before.first, Math.max(before.last, range.last)));
                }
            }
            return List.copyOf(joined);
        }

        /** Returns the largest index. */
        public int last() {
            return ranges.getLast().last;
        }

        @Override
        public boolean contains(int position, int promptLength) {
            return Collections.binarySearch(ranges, new Range(position, position), Range.APART) >= 0;
        }

        @Override
        public int count(int from, int to, int promptLength) {
            return ranges.stream()
                    .mapToInt(range -> Math.max(0, Math.min(to - 1, range.last) - Math.max(from, range.first) + 1))
                    .sum();
        }

        @Override
        public String toString() {
            return ranges.stream().map(Range::toString).collect(Collectors.joining(","));
        }
    }
}
