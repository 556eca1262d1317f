package org.lmdebugger.app.store;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;

/** A format of files of effects, all in UTF-8, and how DuckDB writes and reads it. */
public enum EffectFormat {
    CSV("csv, header", "read_csv(%s, header = true, delim = ',', quote = '\"', escape = '\"', sample_size = -1)"),
    TSV("csv, header, delimiter '\t'",
            "read_csv(%s, header = true, delim = '\t', quote = '\"', escape = '\"', sample_size = -1)"),
    /** A JSON object on each line. */
    JSONL("json", "read_json(%s, format = 'newline_delimited', sample_size = -1)"),
    PARQUET("parquet, compression zstd", "read_parquet(%s)");

    /** The ends of file names. */
    public static final String ENDINGS = ".csv, .csv.gz, .tsv, .tsv.gz, .jsonl, .jsonl.gz or .parquet";

    private final String writing;
    private final String reading;

    EffectFormat(String writing, String reading) {
        this.writing = writing;
        this.reading = reading;
    }

    /** Returns the format of a file by the end of its name, in upper or lower case. */
    public static Optional<EffectFormat> of(String file) {
        return Arrays.stream(values()).filter(format -> format.isNamed(file, "") || format.isNamed(file, ".gz"))
                .findFirst();
    }

    private boolean isNamed(String file, String compression) {
        return (this != PARQUET || compression.isEmpty())
                && file.toLowerCase(Locale.ROOT).endsWith("." + name().toLowerCase(Locale.ROOT) + compression);
    }

    /** Returns the SQL that writes the result of {@code select} as {@code part}, which will be called {@code file}. */
    String copy(String select, Path part, Path file) {
        return "copy (%s) to %s (format %s%s)".formatted(select, literal(part), writing,
                isNamed(file.toString(), ".gz") ? ", compression gzip" : "");
    }

    /** Returns the SQL of the table that is in these files, one after the other. */
    public String table(List<Path> files) {
        return reading.formatted(files.stream().map(EffectFormat::pattern).collect(Collectors.joining(", ", "[", "]")));
    }

    /** DuckDB takes paths that it reads for patterns. */
    private static String pattern(Path file) {
        return literal(file.toAbsolutePath().toString().replaceAll("[\\[*?]", "[$0]"));
    }

    /** Returns the SQL of a file's path. */
    static String literal(Path file) {
        return literal(file.toAbsolutePath().toString());
    }

    private static String literal(String text) {
        return "'" + text.replace("'", "''") + "'";
    }
}
