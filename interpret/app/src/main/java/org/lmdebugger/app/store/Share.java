package org.lmdebugger.app.store;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import org.lmdebugger.text.Shown;

/**
 * One of several shares of a command's chunks, each for a process of its own. Its text form is {@code 2/8}.
 *
 * @param number from 1
 */
public record Share(int number, int count) {
    /** All chunks. */
    public static final Share WHOLE = new Share(1, 1);

    private static final Pattern FORM = Pattern.compile("(\\d{1,9})/(\\d{1,9})");
    private static final Pattern DIRECTORY = Pattern.compile("(\\d{1,9})-of-(\\d{1,9})");

    public Share {
        if (number < 1 || number > count) {
            throw new IllegalArgumentException(
                    "part: %d/%d (expected: K/N, with K from 1 to N)".formatted(number, count));
        }
    }

    /** Chunks one after the other. @param to the first that does not belong to it */
    public record Range(int from, int to) {
    }

    /** @throws IllegalArgumentException if {@code text} is not a share in its text form */
    public static Share parse(String text) {
        return of(FORM, text).orElseThrow(() -> new IllegalArgumentException(
                "part: %s (expected: K/N, with K from 1 to N, such as 2/8)".formatted(Shown.of(text))));
    }

    private static Optional<Share> of(Pattern form, String text) {
        var numbers = form.matcher(text);
        return numbers.matches()
                ? Optional.of(new Share(Integer.parseInt(numbers.group(1)), Integer.parseInt(numbers.group(2))))
                : Optional.empty();
    }

    /** Returns whether a directory has the name of one of a share. */
    static boolean isNamed(Path directory) {
        return DIRECTORY.matcher(directory.getFileName().toString()).matches();
    }

    public boolean isWhole() {
        return count == 1;
    }

    /** Returns the directory of this share's results within that of all results. */
    public Path in(Path directory) {
        return isWhole() ? directory : directory.resolve(number + "-of-" + count);
    }

    /**
     * Returns the chunks of this share. Shares have about equal work, no chunk in common, and all chunks together; those
     * of the same work are the same.
     *
     * @param work of each chunk, in any unit
     */
    public Range range(List<? extends Number> work) {
        return new Range(bound(work, number - 1), bound(work, number));
    }

    /** Returns the first chunk whose middle lies beyond the work of so many shares. */
    private int bound(List<? extends Number> work, int shares) {
        double all = work.stream().mapToDouble(Number::doubleValue).sum();
        double before = 0;
        int chunk = 0;
        while (chunk < work.size()
                && (shares == count || before + work.get(chunk).doubleValue() / 2 < all * shares / count)) {
            before += work.get(chunk++).doubleValue();
        }
        return chunk;
    }

    @Override
    public String toString() {
        return number + "/" + count;
    }
}
