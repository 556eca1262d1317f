package org.lmdebugger.app.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import org.lmdebugger.app.store.EffectFormat;
import org.lmdebugger.app.store.Manifest;
import org.lmdebugger.app.store.ResultDirectory;
import org.lmdebugger.app.store.ResultFile;
import org.lmdebugger.app.store.ResultOutput;
import org.lmdebugger.app.store.ResultTable;
import org.lmdebugger.app.store.Share;
import org.lmdebugger.interpret.Debugger;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** The place where a command keeps all its results. */
final class OutputOptions {
    @Option(names = "--out", paramLabel = "FILE|DIR", description = "Keeps all results in a file, whose name ends in "
            + EffectFormat.ENDINGS + "; or, of a sweep or a data set of pairs, in a directory of Parquet files that an "
            + "interrupted command goes on from: one that is there, or DIR/.")
    private String out;

    @Option(names = "--resume", description = "Goes on where the command that wrote DIR was interrupted.")
    private boolean resume;

    @Option(names = "--part", paramLabel = "K/N", converter = ShareConverter.class,
            description = "Computes one of N parts, each of about the same work, for processes side by side; keeps it in "
                    + "DIR/K-of-N. lmdebug query DIR reads all parts together.")
    private Share share = Share.WHOLE;

    @Spec(Spec.Target.MIXEE)
    private CommandSpec spec;

    /** Checks what can be checked without a model. */
    void check() {
        if (resume && !isDirectory()) {
            throw new IllegalArgumentException("--resume: no directory (expected: --out DIR/)");
        }
        if (!share.isWhole() && !isDirectory()) {
            throw new IllegalArgumentException("--part: no directory (expected: --out DIR/)");
        }
        if (out != null && !isDirectory() && EffectFormat.of(out).isEmpty()) {
            throw new IllegalArgumentException(
                    "--out: %s (expected: a name that ends in %s; or a directory: one that is there, or a new name that ends in /)"
                            .formatted(Text.fit(out, 60).strip(), EffectFormat.ENDINGS));
        }
    }

    /** Returns whether it is a directory. A new one's name ends in a slash, so that a mistyped ending makes none. */
    boolean isDirectory() {
        return out != null && (out.endsWith("/") || !out.isEmpty() && Files.isDirectory(Path.of(out)));
    }

    boolean isGiven() {
        return out != null;
    }

    /** Returns whether this process computes all chunks. */
    boolean isWhole() {
        return share.isWhole();
    }

    /** Returns the chunks that this process computes. @param work of each chunk */
    Share.Range own(List<? extends Number> work) {
        return share.range(work);
    }

    /**
     * Opens the output; null if none was asked for.
     *
     * @param chunks   the number of effects in each
     * @param own      those that this process computes
     * @param settings all but the model that the results depend on: a resumed command must have all of it equal
     * @param table    makes a table whose rows are in that file, or in memory
     */
    <T> ResultOutput<T> open(Debugger debugger, List<? extends Number> chunks, Share.Range own,
            Map<String, Object> settings,
            Function<Optional<Path>, ResultTable<T>> table) {
        if (out == null) {
            return null;
        }
        if (!isDirectory()) {
            return ResultFile.open(Path.of(out), table);
        }
        var manifest = Manifest.of(debugger);
        manifest.putAll(settings);
        return ResultDirectory.open(share.in(Path.of(out)), chunks, share, own, manifest, resume, table,
                spec.commandLine().getErr()::println);
    }

    static final class ShareConverter implements ITypeConverter<Share> {
        @Override
        public Share convert(String text) {
            try {
                return Share.parse(text);
            } catch (IllegalArgumentException wrong) {
                throw new TypeConversionException(wrong.getMessage());
            }
        }
    }
}
