package org.lmdebugger.app.store;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.app.json.JsonReader;
import org.lmdebugger.files.AtomicFile;

/**
 * Saved experiments: one JSON file each, written whole or not at all, in a folder that servers share. A file's name is
 * the experiment's id. A file may come from anywhere: it is checked whenever it is read, and a damaged one
 * leaves the others as they are. All methods may be called from any thread.
 */
public final class Experiments {
    /** The most experiments that may be kept. */
    public static final int MAX_COUNT = 1000;

    private static final int SHOWN = 8 << 20; // characters of prompts and edits in a list
    private static final String ID = "[\\w-]{1,100}";

    private final Path folder;
    private final int maxBytes;
    private final Consumer<Experiment> check;
    private final Map<String, Seen> seen = new HashMap<>(); // by id: a list reads only what is new; guarded by this

    /** A file as it was when it was read: its entry in a list, or the problem, and the size of that. */
    private record Seen(FileTime time, long bytes, Experiment.Head head, String problem, int characters) {
    }

    /** A file that is no experiment, and why. */
    public record Damaged(String id, String problem) {
    }

    /**
     * A list of experiments, the newest first.
     *
     * @param more files that are left out because of their number or size
     */
    public record Listing(List<Experiment.Head> experiments, List<Damaged> damaged, int more) {
    }

    private record Found(String id, FileTime time, long bytes) {
    }

    /**
     * The experiments in a folder.
     *
     * @param maxBytes of a file
     * @param check    throws {@link IllegalArgumentException} if an experiment cannot be shown
     */
    public Experiments(Path folder, int maxBytes, Consumer<Experiment> check) {
        this.folder = folder;
        this.maxBytes = maxBytes;
        this.check = check;
    }

    /** The files there are, the newest first. */
    private List<Found> files() {
        var found = new ArrayList<Found>();
        if (Files.isDirectory(folder)) {
            try (var files = Files.newDirectoryStream(folder, "*.json")) {
                for (var file : files) {
                    var id = file.getFileName().toString().replaceFirst("\\.json$", "");
                    var attributes = id.matches(ID) ? attributes(file) : null;
                    if (attributes != null && attributes.isRegularFile()) {
                        found.add(new Found(id, attributes.lastModifiedTime(), attributes.size()));
                    }
                }
            } catch (IOException failure) {
                throw new UncheckedIOException(folder + ": cannot be read", failure);
            }
        }
        found.sort(Comparator.comparing(Found::time).reversed().thenComparing(Found::id));
        return found;
    }

    private static BasicFileAttributes attributes(Path file) throws IOException {
        try {
            return Files.readAttributes(file, BasicFileAttributes.class);
        } catch (NoSuchFileException deleted) { // meanwhile
            return null;
        }
    }

    public int size() {
        return files().size();
    }

    /** Returns the experiments that are there, and the damaged files. */
    public synchronized Listing list() {
        var files = files();
        var experiments = new ArrayList<Experiment.Head>();
        var damaged = new ArrayList<Damaged>();
        int characters = 0;
        int shown = 0;
        for (; shown < Math.min(files.size(), MAX_COUNT) && characters < SHOWN; shown++) {
            var file = look(files.get(shown));
            if (file.problem() == null) {
                experiments.add(file.head());
            } else {
                damaged.add(new Damaged(files.get(shown).id(), file.problem()));
            }
            characters += file.characters();
        }
        seen.keySet().retainAll(files.stream().limit(shown).map(Found::id).toList());
        experiments.sort(Comparator.comparing(Experiment.Head::saved).reversed());
        return new Listing(experiments, damaged, files.size() - shown);
    }

    private Seen look(Found file) {
        var last = seen.get(file.id());
        if (last != null && last.time().equals(file.time()) && last.bytes() == file.bytes()) {
            return last;
        }
        Seen now;
        try {
            var experiment = read(file.id());
            now = new Seen(file.time(), file.bytes(), experiment.head(), null, experiment.size());
        } catch (IOException failure) {
            now = new Seen(file.time(), file.bytes(), null, "cannot be read: " + failure.getClass().getSimpleName(), 0);
        } catch (IllegalArgumentException wrong) {
            now = new Seen(file.time(), file.bytes(), null, wrong.getMessage(), wrong.getMessage().length());
        }
        seen.put(file.id(), now);
        return now;
    }

    /** @throws IllegalArgumentException if the file is damaged */
    private Experiment read(String id) throws IOException {
        try (var file = Files.newInputStream(file(id))) {
            var bytes = file.readNBytes(maxBytes + 1);
            if (bytes.length > maxBytes) {
                throw new IllegalArgumentException("larger than %,d bytes (expected: at most that)"
                        .formatted(maxBytes));
            }
            var experiment = JsonReader.read(bytes, Experiment.class).withId(id).checked();
            check.accept(experiment);
            return experiment;
        }
    }

    /**
     * Keeps {@code experiment} under its id.
     *
     * @throws IllegalArgumentException if its file would be too large
     * @throws UncheckedIOException     if it cannot be written
     */
    public void save(Experiment experiment) {
        var bytes = Json.print(experiment).getBytes(StandardCharsets.UTF_8);
        if (bytes.length > maxBytes) {
            throw new IllegalArgumentException("experiment: %,d bytes as a file (expected: at most %,d)"
                    .formatted(bytes.length, maxBytes));
        }
        try {
            Files.createDirectories(folder);
            AtomicFile.write(file(experiment.id()), bytes);
        } catch (IOException failure) {
            throw new UncheckedIOException("%s cannot be written (%s); start the server with another --data"
                    .formatted(folder, failure), failure);
        }
    }

    /**
     * Reads a whole experiment; empty if there is none of that id.
     *
     * @throws IllegalArgumentException if its file is damaged
     */
    public Optional<Experiment> load(String id) {
        try {
            return isThere(id) ? Optional.of(read(id)) : Optional.empty();
        } catch (NoSuchFileException deleted) { // meanwhile
            return Optional.empty();
        } catch (IOException failure) {
            throw new UncheckedIOException(file(id) + ": cannot be read", failure);
        }
    }

    /** Returns whether there was one of that id. */
    public boolean delete(String id) {
        try {
            return isThere(id) && Files.deleteIfExists(file(id));
        } catch (IOException failure) {
            throw new UncheckedIOException(file(id) + ": cannot be deleted", failure);
        }
    }

    private boolean isThere(String id) {
        return id.matches(ID) && Files.isRegularFile(file(id));
    }

    private Path file(String id) {
        return folder.resolve(id + ".json");
    }
}
