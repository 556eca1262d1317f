package org.lmdebugger.app.cli;

import java.nio.file.Path;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Function;

/**
 * What the lines of a file mean.
 *
 * @param values by the number of the line, from 1
 */
record Lines<T>(Path file, SortedMap<Integer, T> values) {
    /**
     * Reads a file's lines but for blank ones.
     *
     * @throws IllegalArgumentException naming file and line, if {@code reader} throws one
     */
    static <T> Lines<T> read(Path file, Function<String, T> reader) {
        return new Lines<>(file, Utf8.lines(file)).map(reader);
    }

    /** Returns one for each line. @throws IllegalArgumentException naming file and line, if {@code function} throws one */
    <R> Lines<R> map(Function<T, R> function) {
        var results = new TreeMap<Integer, R>();
        values.forEach((number, value) -> {
            try {
                results.put(number, function.apply(value));
            } catch (IllegalArgumentException wrong) {
                throw new IllegalArgumentException(place(file, number) + ": " + wrong.getMessage(), wrong);
            }
        });
        return new Lines<>(file, results);
    }

    private static String place(Path file, int line) {
        return file + ": line " + line;
    }

    /** Returns file and line of value {@code index} of {@link #list}, for messages. */
    String place(int index) {
        return place(file, values.keySet().stream().skip(index).findFirst().orElseThrow());
    }

    List<T> list() {
        return List.copyOf(values.values());
    }
}
