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
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.checkpoint.Digests;
import org.lmdebugger.files.AtomicFile;
import org.lmdebugger.files.ProcessLock;
import org.lmdebugger.text.Shown;

/**
 * Results as a directory: {@code manifest.json}, which describes the work and lists the number of effects in each chunk, a
 * Parquet file for each chunk, written whole or not at all, and {@code SHA256SUMS} of these. A part counts once its
 * checksum is there; parts that are whole after an interruption are not computed again.
 */
public final class ResultDirectory<T> implements ResultOutput<T> {
    private static final String MANIFEST = "manifest.json";
    private static final String CHUNKS = "chunks"; // of the manifest
    private static final String CHECKSUMS = "SHA256SUMS"; // as sha256sum writes and checks it
    private static final Pattern CHECKSUM = Pattern.compile("([0-9a-f]{64}) [ *](part-\\d{6,10}\\.parquet)");
    private static final String LOCK = ".lock";

    private final Path directory;
    private final ProcessLock lock;
    private final ResultTable<T> table;
    private final BitSet kept = new BitSet();

    private ResultDirectory(Path directory, ProcessLock lock, ResultTable<T> table) {
        this.directory = directory;
        this.lock = lock;
        this.table = table;
    }

    /**
     * Makes the directory, or finds it as an interrupted process left it. Parts that are damaged, or without a checksum,
     * are deleted: they are computed again.
     *
     * @param chunks   the number of effects in each
     * @param manifest all else that the results depend on
     * @param notes    takes a sentence about damaged parts
     * @throws IllegalArgumentException if it holds results and {@code resume} is false, or results of something else,
     *     or if another process writes there
     * @throws UncheckedIOException if it cannot be used
     */
    public static <T> ResultDirectory<T> open(Path directory, List<? extends Number> chunks,
            Map<String, Object> manifest, boolean resume, Function<Optional<Path>, ResultTable<T>> table,
            Consumer<String> notes) {
        try {
            Files.createDirectories(directory);
            if (!Files.exists(directory.resolve(MANIFEST)) && hasFiles(directory)) {
                throw new IllegalArgumentException(
                        directory + ": not empty, and without manifest.json (expected: a new directory)");
            }
            var lock = ProcessLock.tryTake(directory.resolve(LOCK)).orElseThrow(() -> new IllegalArgumentException(
                    directory + ": another process writes there (expected: a directory of its own)"));
            var opened = new ResultDirectory<>(directory, lock, table.apply(Optional.empty()));
            try {
                var all = new LinkedHashMap<>(manifest);
                all.put(CHUNKS, chunks);
                opened.begin(all, resume);
                opened.check(chunks.size(), notes);
            } catch (Throwable failure) {
                opened.close();
                throw failure;
            }
            return opened;
        } catch (IOException failure) {
            throw new UncheckedIOException(directory + ": cannot be used", failure);
        }
    }

    /** Returns whether there are files other than those of a process that was interrupted before it wrote the manifest. */
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
        expected.properties().forEach(field -> compare(field.getKey(), found.path(field.getKey()), field.getValue()));
    }

    /** Names the first element that differs, within lists and objects of equally many. */
    private void compare(String name, JsonNode found, JsonNode expected) {
        if (found.equals(expected)) {
            return;
        }
        if (found.size() == expected.size()) {
            for (int i = 0; expected.isArray() && i < expected.size(); i++) {
                compare(name + "." + i, found.path(i), expected.path(i));
            }
            expected.properties().forEach(
                    field -> compare(name + "." + field.getKey(), found.path(field.getKey()), field.getValue()));
        }
        throw new IllegalArgumentException(
                "%s: %s is %s (expected: %s; other results are not mixed with these, use another directory)".formatted(
                        directory.resolve(MANIFEST), name, Shown.of(found), Shown.of(expected)));
    }

    /** Keeps whole parts and deletes damaged ones. */
    private void check(int chunks, Consumer<String> notes) throws IOException {
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
                kept.set(chunk);
            } else {
                Files.delete(part);
                deleted++;
            }
        }
        writeChecksums();
        if (deleted > 0) {
            notes.accept("%s: %d of the parts there %s damaged or not complete and computed again".formatted(directory,
                    deleted, deleted == 1 ? "is" : "are"));
        }
    }

    /** Writes the checksums again, in the order of the parts. */
    private void writeChecksums() throws IOException {
        var lines = checksums(directory).orElse(Map.of()).entrySet().stream()
                .filter(each -> Files.exists(directory.resolve(each.getKey())))
                .map(each -> line(each.getValue(), each.getKey())).collect(Collectors.joining());
        AtomicFile.write(directory.resolve(CHECKSUMS), lines.getBytes(StandardCharsets.UTF_8));
    }

    @Override
    public Optional<Path> kept(int chunk) {
        return kept.get(chunk) ? Optional.of(part(directory, chunk)) : Optional.empty();
    }

    @Override
    public void add(int chunk, T results) {
        var part = part(directory, chunk);
        table.add(results);
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
        try {
            writeChecksums();
        } catch (IOException failure) {
            throw new UncheckedIOException(directory + ": the checksums cannot be written", failure);
        }
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
     * Returns the parts of a directory.
     *
     * @param notes takes a sentence if they are not complete
     * @throws IllegalArgumentException if a part is damaged, or there is none
     * @throws UncheckedIOException     if the directory cannot be read
     */
    public static List<Path> parts(Path directory, Consumer<String> notes) {
        try {
            var counts = manifest(directory).path(CHUNKS);
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
                                part + ": damaged (expected: what --out wrote; --resume computes it again)");
                    }
                    parts.add(part);
                    effects += counts.get(chunk).asLong();
                }
            }
            if (parts.isEmpty()) {
                throw new IllegalArgumentException(
                        "%s: none of %,d effects is there yet (expected: some; --resume computes them)"
                                .formatted(directory, all));
            }
            if (effects < all) {
                notes.accept("%s: %,d of %,d effects are there (--resume computes the others)"
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
                    directory + ": no manifest.json (expected: a directory that --out wrote)");
        }
        try {
            var manifest = Json.tree(Files.readAllBytes(file));
            if (manifest.path(CHUNKS).isArray()) {
                return manifest;
            }
        } catch (JsonProcessingException damaged) {
            // said below
        }
        throw new IllegalArgumentException(
                file + ": damaged (expected: the manifest that --out wrote; use another directory)");
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
