package org.lmdebugger.app.store;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collection;
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
import java.util.stream.IntStream;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.checkpoint.Digests;
import org.lmdebugger.files.AtomicFile;
import org.lmdebugger.files.ProcessLock;

/**
 * Results as a directory: {@code manifest.json}, which describes the work and lists the number of effects in each chunk, a
 * Parquet file for each chunk, written whole or not at all, and {@code SHA256SUMS} of these. A part counts once its
 * checksum is there; parts that are whole after an interruption are not computed again.
 */
public final class ResultDirectory<T> implements ResultOutput<T> {
    private static final String PART = "part"; // of the manifest: the share that is here, if it is not the whole
    private static final String OWN = "own"; // of the manifest: its chunks
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
     * @param chunks   the number of effects in each, also in those of other shares
     * @param share    whose results are kept there
     * @param own      its chunks
     * @param manifest all else that the results depend on
     * @param notes    takes a sentence about damaged parts
     * @throws IllegalArgumentException if it holds results and {@code resume} is false, or results of something else,
     *     or if another process writes there
     * @throws UncheckedIOException if it cannot be used
     */
    public static <T> ResultDirectory<T> open(Path directory, List<? extends Number> chunks, Share share,
            Share.Range own, Map<String, Object> manifest, boolean resume,
            Function<Optional<Path>, ResultTable<T>> table,
            Consumer<String> notes) {
        try {
            Files.createDirectories(directory);
            if (!Files.exists(directory.resolve(Manifest.NAME)) && hasFiles(directory)) {
                throw new IllegalArgumentException(
                        directory + ": not empty, and without manifest.json (expected: a new directory)");
            }
            var lock = ProcessLock.tryTake(directory.resolve(LOCK)).orElseThrow(() -> new IllegalArgumentException(
                    directory + ": another process writes there (expected: a directory of its own)"));
            var opened = new ResultDirectory<>(directory, lock, table.apply(Optional.empty()));
            try {
                var all = new LinkedHashMap<>(manifest);
                all.put(Manifest.CHUNKS, chunks);
                if (!share.isWhole()) {
                    all.put(PART, share.toString());
                    all.put(OWN, List.of(own.from(), own.to()));
                }
                opened.begin(all, resume);
                opened.check(own, notes);
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
        var ours = Set.of(LOCK, "." + Manifest.NAME + ".part");
        try (var files = Files.list(directory)) {
            return files.anyMatch(file -> !ours.contains(file.getFileName().toString()));
        }
    }

    private void begin(Map<String, Object> manifest, boolean resume) throws IOException {
        if (!Files.exists(directory.resolve(Manifest.NAME))) {
            AtomicFile.write(directory.resolve(Manifest.NAME), Json.print(manifest).getBytes(StandardCharsets.UTF_8));
        } else if (!resume) {
            throw new IllegalArgumentException(
                    directory + ": holds results (expected: a new directory, or --resume to go on)");
        } else {
            Manifest.check(directory.resolve(Manifest.NAME), manifest(directory),
                    Json.tree(Json.line(manifest).getBytes(StandardCharsets.UTF_8)));
        }
    }

    /** Keeps whole parts and deletes damaged ones. */
    private void check(Share.Range own, Consumer<String> notes) throws IOException {
        var checksums = checksums(directory);
        int deleted = 0;
        for (int chunk = own.from(); chunk < own.to(); chunk++) {
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
     * Returns the parts of directories, in order.
     *
     * @param directories of all results of a command, or those of its shares, or that in which these are
     * @param notes       takes sentences about what is missing
     * @throws IllegalArgumentException if a part is damaged, there is none, a share is there twice, or the directories are
     *                                  of different commands, models or arithmetic
     * @throws UncheckedIOException     if a directory cannot be read
     */
    public static List<Path> parts(List<Path> directories, Consumer<String> notes) {
        try {
            var parts = new ArrayList<Path>();
            for (var directory : shares(directories, notes)) {
                parts.addAll(parts(directory, manifest(directory), notes));
            }
            if (parts.isEmpty()) {
                throw new IllegalArgumentException("%s: no effect is there yet (expected: some; --resume computes them)"
                        .formatted(directories.getFirst()));
            }
            return parts;
        } catch (IOException failure) {
            throw new UncheckedIOException(directories.getFirst() + ": cannot be read", failure);
        }
    }

    /** Returns the directories of the shares, in order, after comparing them. */
    private static Collection<Path> shares(List<Path> directories, Consumer<String> notes) throws IOException {
        var found = new ArrayList<Path>();
        for (var directory : directories) {
            found.addAll(Files.exists(directory.resolve(Manifest.NAME)) ? List.of(directory) : sharesIn(directory));
        }
        var first = found.getFirst();
        var expected = manifest(first).without(List.of(PART, OWN));
        var shares = new TreeMap<Integer, Path>();
        int count = share(first).count();
        for (var directory : found) {
            Manifest.check(directory.resolve(Manifest.NAME), manifest(directory), expected);
            var share = share(directory);
            var other = shares.put(share.number(), directory);
            if (other != null || share.count() != count) {
                throw new IllegalArgumentException(
                        "%s: part %s, beside %s: part %s (expected: each part once, of one command)"
                                .formatted(directory, share, other == null ? first : other,
                                        share(other == null ? first : other)));
            }
        }
        var missing = IntStream.rangeClosed(1, count).filter(number -> !shares.containsKey(number))
                .mapToObj(number -> new Share(number, count).toString()).toList();
        if (!missing.isEmpty()) {
            notes.accept("%s: missing: part %s".formatted(directories.getFirst(), String.join(", ", missing)));
        }
        return shares.values();
    }

    private static List<Path> sharesIn(Path directory) throws IOException {
        try (var inside = Files.list(directory)) {
            var shares = inside.filter(each -> Share.isNamed(each) && Files.exists(each.resolve(Manifest.NAME)))
                    .sorted()
                    .toList();
            return shares.isEmpty() ? List.of(directory) : shares;
        }
    }

    private static Share share(Path directory) throws IOException {
        var text = manifest(directory).path(PART);
        return text.isMissingNode() ? Share.WHOLE : Share.parse(text.asText());
    }

    /** Returns the parts of one directory. */
    private static List<Path> parts(Path directory, JsonNode manifest, Consumer<String> notes) throws IOException {
        var counts = manifest.path(Manifest.CHUNKS);
        var own = manifest.path(OWN);
        var checksums = checksums(directory);
        var parts = new ArrayList<Path>();
        long effects = 0;
        long all = 0;
        for (int chunk = own.path(0).asInt(0); chunk < own.path(1).asInt(counts.size()); chunk++) {
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
        if (effects < all) {
            notes.accept("%s: %,d of %,d effects are there (--resume computes the others)"
                    .formatted(directory, effects, all));
        }
        return parts;
    }

    private static ObjectNode manifest(Path directory) throws IOException {
        var file = directory.resolve(Manifest.NAME);
        if (!Files.exists(file)) {
            throw new IllegalArgumentException(
                    directory + ": no manifest.json (expected: a directory that --out wrote)");
        }
        try {
            if (Json.tree(Files.readAllBytes(file)) instanceof ObjectNode manifest
                    && manifest.path(Manifest.CHUNKS).isArray()) {
                return manifest;
            }
        } catch (JsonProcessingException damaged) {
            // said below
        }
        throw new IllegalArgumentException(
                file + ": damaged (expected: the manifest that --out wrote; use another directory)");
    }

    private static Path part(Path directory, int chunk) {
        return directory.resolve(partName(chunk));
    }

    /** Returns the name of the file that holds the results of a chunk. */
    public static String partName(int chunk) {
        return String.format(Locale.ROOT, "part-%06d.parquet", chunk);
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
