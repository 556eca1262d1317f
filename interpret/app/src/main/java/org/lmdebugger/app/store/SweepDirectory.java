package org.lmdebugger.app.store;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.checkpoint.Digests;
import org.lmdebugger.files.AtomicFile;
import org.lmdebugger.files.ProcessLock;
import org.lmdebugger.interpret.sweep.Effects;
import org.lmdebugger.interpret.sweep.SweepPlan;
import org.lmdebugger.text.Shown;
import org.lmdebugger.tokenizer.Tokenizer;

/**
 * The results of a sweep as a directory: {@code manifest.json}, which describes the sweep, a Parquet file for
 * each chunk of the plan, written whole or not at all, and {@code SHA256SUMS} of these. A part counts once its checksum
 * is there; parts that are whole after an interruption are not computed again.
 */
public final class SweepDirectory implements SweepOutput {
    private static final String MANIFEST = "manifest.json";
    private static final String CHECKSUMS = "SHA256SUMS"; // as sha256sum writes and checks it
    private static final Pattern CHECKSUM = Pattern.compile("([0-9a-f]{64}) [ *](part-\\d{6,10}\\.parquet)");
    private static final String LOCK = ".lock";

    private final Path directory;
    private final ProcessLock lock;
    private final EffectTable table;
    private final BitSet missing = new BitSet();

    private SweepDirectory(Path directory, ProcessLock lock, EffectTable table) {
        this.directory = directory;
        this.lock = lock;
        this.table = table;
    }

    /**
     * Makes the directory, or finds it as an interrupted sweep left it. Parts that are damaged, or without a checksum,
     * are deleted: they are computed again.
     *
     * @param notes takes a sentence about these
     * @throws IllegalArgumentException if it holds results and {@code resume} is false, or results of something else,
     *     or if another sweep writes there
     * @throws UncheckedIOException if it cannot be used
     */
    public static SweepDirectory open(Path directory, Map<String, Object> manifest, boolean resume, SweepPlan plan,
            Tokenizer tokenizer, Consumer<String> notes) {
        try {
            Files.createDirectories(directory);
            if (!Files.exists(directory.resolve(MANIFEST)) && hasFiles(directory)) {
                throw new IllegalArgumentException(
                        directory + ": not empty, and without manifest.json (expected: a new directory)");
            }
            var lock = ProcessLock.tryTake(directory.resolve(LOCK)).orElseThrow(() -> new IllegalArgumentException(
                    directory + ": another sweep writes there (expected: a directory of its own)"));
            var opened = new SweepDirectory(directory, lock, new EffectTable(plan.sweep().measures(), tokenizer));
            try {
                opened.begin(manifest, resume);
                opened.check(plan.chunks().size(), notes);
            } catch (Throwable failure) {
                opened.close();
                throw failure;
            }
            return opened;
        } catch (IOException failure) {
            throw new UncheckedIOException(directory + ": cannot be used", failure);
        }
    }

    /** Returns whether there are files other than those of a sweep that was interrupted before its manifest. */
    private static boolean hasFiles(Path directory) throws IOException {
        var ours = Set.of(LOCK, "." + MANIFEST + ".part");
        try (var files = Files.list(directory)) {
            return files.anyMatch(file -> !ours.contains(file.getFileName().toString()));
        }
    }

    private void begin(Map<String, Object> manifest, boolean resume) throws IOException {
        if (!Files.exists(directory.resolve(MANIFEST))) {
            AtomicFile.write(directory.resolve(MANIFEST), Json.print(manifest).getBytes(StandardCharsets.UTF_8));
        } else if (!resume) {
            throw new IllegalArgumentException(
                    directory + ": holds results (expected: a new directory, or --resume to go on)");
        } else {
            compare(manifest(directory), Json.tree(Json.line(manifest).getBytes(StandardCharsets.UTF_8)));
        }
    }

    private void compare(JsonNode found, JsonNode expected) {
        expected.properties().forEach(field -> {
            var other = found.path(field.getKey());
            if (!other.equals(field.getValue())) {
                throw new IllegalArgumentException(
                        ("%s: %s is %s (expected: %s; results of another sweep are not mixed, "
                                + "use another directory)").formatted(directory.resolve(MANIFEST), field.getKey(),
                                        Shown.of(other), Shown.of(field.getValue())));
            }
        });
    }

    /** Keeps whole parts and deletes damaged ones. */
    private void check(int chunks, Consumer<String> notes) throws IOException {
        missing.set(0, chunks);
        var checksums = checksums(directory);
        int deleted = 0;
        for (int chunk = 0; chunk < chunks; chunk++) {
            var part = part(directory, chunk);
            if (!Files.exists(part)) {
                continue;
            }
            if (checksums.isEmpty()) {
                throw new IllegalArgumentException(
                        ("%s: no %s, so its parts cannot be checked (expected: a new directory; or delete the "
                                + "parts, and they are computed again)").formatted(directory, CHECKSUMS));
            }
            if (isWhole(part, checksums.get())) {
                missing.clear(chunk);
            } else {
                Files.delete(part);
                deleted++;
            }
        }
        var kept = checksums.orElse(Map.of()).entrySet().stream()
                .filter(each -> Files.exists(directory.resolve(each.getKey())))
                .map(each -> line(each.getValue(), each.getKey())).collect(Collectors.joining());
        AtomicFile.write(directory.resolve(CHECKSUMS), kept.getBytes(StandardCharsets.UTF_8));
        if (deleted > 0) {
            notes.accept("%s: %d of the parts there %s damaged or not complete and computed again".formatted(directory,
                    deleted, deleted == 1 ? "is" : "are"));
        }
    }

    @Override
    public BitSet missing() {
        return (BitSet) missing.clone();
    }

    @Override
    public void add(Effects chunk) {
        var part = part(directory, chunk.chunk());
        table.add(chunk);
        table.write(part);
        try {
            Files.writeString(directory.resolve(CHECKSUMS), line(Digests.sha256(part), part.getFileName().toString()),
                    StandardOpenOption.APPEND, StandardOpenOption.SYNC);
        } catch (IOException failure) {
            throw new UncheckedIOException(part + ": its checksum cannot be written", failure);
        }
    }

    @Override
    public void complete() {
        // each part is
    }

    @Override
    public void close() {
        table.close();
        try {
            lock.close();
        } catch (IOException failure) {
            throw new UncheckedIOException(directory + ": cannot be unlocked", failure);
        }
    }

    /**
     * Returns the parts of a sweep's directory.
     *
     * @param notes takes a sentence if the sweep was not complete
     * @throws IllegalArgumentException if a part is damaged, or there is none
     * @throws UncheckedIOException     if the directory cannot be read
     */
    public static List<Path> parts(Path directory, Consumer<String> notes) {
        try {
            var counts = manifest(directory).path("chunks");
            var checksums = checksums(directory);
            var parts = new ArrayList<Path>();
            long effects = 0;
            long all = 0;
            for (int chunk = 0; chunk < counts.size(); chunk++) {
                var part = part(directory, chunk);
                all += counts.get(chunk).asLong();
                if (Files.exists(part)
                        && (checksums.isEmpty() || checksums.get().containsKey(part.getFileName().toString()))) {
                    if (checksums.isPresent() && !isWhole(part, checksums.get())) {
                        throw new IllegalArgumentException(
                                part + ": damaged (expected: what the sweep wrote; sweep --resume computes it again)");
                    }
                    parts.add(part);
                    effects += counts.get(chunk).asLong();
                }
            }
            if (parts.isEmpty()) {
                throw new IllegalArgumentException(
                        "%s: none of %,d effects is there yet (expected: some; sweep --resume computes them)"
                                .formatted(directory, all));
            }
            if (effects < all) {
                notes.accept("%s: %,d of %,d effects are there (sweep --resume computes the others)"
                        .formatted(directory, effects, all));
            }
            return parts;
        } catch (IOException failure) {
            throw new UncheckedIOException(directory + ": cannot be read", failure);
        }
    }

    private static JsonNode manifest(Path directory) throws IOException {
        var file = directory.resolve(MANIFEST);
        if (!Files.exists(file)) {
            throw new IllegalArgumentException(
                    directory + ": no manifest.json (expected: a directory that sweep --out wrote)");
        }
        try {
            var manifest = Json.tree(Files.readAllBytes(file));
            if (manifest.path("chunks").isArray()) {
                return manifest;
            }
        } catch (JsonProcessingException damaged) {
            // said below
        }
        throw new IllegalArgumentException(
                file + ": damaged (expected: the manifest of a sweep; use another directory)");
    }

    private static Path part(Path directory, int chunk) {
        return directory.resolve(String.format(Locale.ROOT, "part-%06d.parquet", chunk));
    }

    /** The checksums of parts, by their names; empty if the directory has no file of them. */
    private static Optional<Map<String, String>> checksums(Path directory) throws IOException {
        var file = directory.resolve(CHECKSUMS);
        if (!Files.exists(file)) {
            return Optional.empty();
        }
        var checksums = new TreeMap<String, String>();
        for (var line : Files.readAllLines(file, StandardCharsets.ISO_8859_1)) { // a damaged line is none
            var parts = CHECKSUM.matcher(line);
            if (parts.matches()) {
                checksums.put(parts.group(2), parts.group(1));
            }
        }
        return Optional.of(checksums);
    }

    private static String line(String checksum, String name) {
        return checksum + "  " + name + "\n";
    }

    private static boolean isWhole(Path part, Map<String, String> checksums) throws IOException {
        return Digests.sha256(part).equals(checksums.get(part.getFileName().toString()));
    }
}
