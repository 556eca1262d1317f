package org.lmdebugger.app.cli;

import java.io.PrintWriter;
import java.util.Comparator;
import java.util.List;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import picocli.CommandLine.Help.Ansi;

/**
 * A table of numbers in 80 columns: red above a neutral number, blue below, the stronger the farther from it, where
 * {@code ansi} allows colour. Columns that are neutral in every row are left out, as are the weakest of very many rows.
 *
 * @param rows    names of the rows
 * @param columns names of the columns
 * @param below   a second line of names, such as tokens; empty where there is none
 * @param neutral the number that means no effect
 * @param numbers of each row, of each column
 */
record HeatMap(List<String> rows, List<String> columns, List<String> below, double neutral, double[][] numbers) {
    private static final int WIDTH = 80;
    private static final int NARROWEST = 7;
    private static final int WIDEST = 12;
    private static final int MOST_ROWS = 48;

    void print(PrintWriter out, Ansi ansi) {
        int label = rows.stream().mapToInt(String::length).max().orElse(0);
        var shownColumns = where(columns.size(),
                c -> IntStream.range(0, numbers.length).anyMatch(r -> numbers[r][c] != neutral));
        var shownRows = strongestRows();
        if (shownColumns.isEmpty()) {
            out.println("no effect anywhere");
            return;
        }
        int inBlock = Math.max(1, (WIDTH - label) / width());
        for (int from = 0; from < shownColumns.size(); from += inBlock) {
            var block = shownColumns.subList(from, Math.min(from + inBlock, shownColumns.size()));
            names(out, label, block, columns);
            names(out, label, block, below);
            for (int r : shownRows) {
                var line = new StringBuilder(Text.fit(rows.get(r), label));
                block.forEach(c -> line.append(cell(numbers[r][c], ansi)));
                out.println(line.toString().stripTrailing());
            }
        }
        if (shownRows.size() < rows.size()) {
            out.println("the %d strongest of %,d rows".formatted(shownRows.size(), rows.size()));
        }
        if (shownColumns.size() < columns.size()) {
            out.println("without any effect: " + String.join(" ", where(columns.size(), c -> !shownColumns.contains(c))
                    .stream().map(columns::get).toList()));
        }
    }

    private void names(PrintWriter out, int label, List<Integer> block, List<String> names) {
        var line = new StringBuilder(" ".repeat(label));
        block.forEach(c -> line.append(right(names.get(c))));
        if (!line.toString().isBlank()) {
            out.println(line.toString().stripTrailing());
        }
    }

    /** Returns the width of a cell: that of the longest name of a column, within bounds. */
    private int width() {
        return columns.stream().mapToInt(name -> Math.clamp(name.length() + 1, NARROWEST, WIDEST)).max().orElseThrow();
    }

    /** Returns {@code name} at the right of a cell, cut if it is longer. */
    private String right(String name) {
        int length = Math.min(name.codePointCount(0, name.length()), width() - 1);
        return " ".repeat(width() - length) + Text.fit(name, length);
    }

    private static List<Integer> where(int count, IntPredicate condition) {
        return IntStream.range(0, count).filter(condition).boxed().toList();
    }

    /** Returns the rows with the largest effects, in order. */
    private List<Integer> strongestRows() {
        return IntStream.range(0, rows.size()).boxed()
                .sorted(Comparator.comparingDouble(r -> -IntStream.range(0, columns.size())
                        .mapToDouble(c -> Math.abs(numbers[r][c] - neutral)).filter(n -> !Double.isNaN(n)).max()
                        .orElse(0)))
                .limit(MOST_ROWS).sorted().toList();
    }

    private String cell(double number, Ansi ansi) {
        var text = number == neutral ? right("·") : right("%+.2f".formatted(number));
        double effect = number - neutral;
        int strength = (int) Math.round(Math.min(1, Math.abs(effect)) * 5); // 0 for NaN
        if (!ansi.enabled() || strength == 0) {
            return text;
        }
        int pale = 5 - strength; // in the cube of 6 × 6 × 6 colours
        int colour = effect > 0 ? 16 + 36 * 5 + 6 * pale + pale : 16 + 36 * pale + 6 * pale + 5;
        return "\u001b[%d;48;5;%dm%s\u001b[0m".formatted(strength > 3 && effect < 0 ? 97 : 30, colour, text);
    }
}
