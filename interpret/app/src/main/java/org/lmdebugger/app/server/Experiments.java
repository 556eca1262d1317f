package org.lmdebugger.app.server;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.slf4j.LoggerFactory;

/**
 * Saved experiments: one JSON file each, written whole or not at all, in a folder. Files are known by the ids that this
 * class gave them; an id from outside is only ever looked up among these.
 */
final class Experiments {
    /** Of the form of the files. */
    static final int VERSION = 1;

    private static final ObjectMapper MAPPER = new ObjectMapper();

    private final Path folder;
    private final Map<String, ObjectNode> heads = new ConcurrentHashMap<>(); // without results

    Experiments(Path folder) {
        this.folder = folder;
        try (var files = Files.isDirectory(folder) ? Files.list(folder) : Stream.<Path>empty()) {
            files.filter(file -> file.getFileName().toString().matches("[\\w-]{32}\\.json")).forEach(this::readHead);
        } catch (IOException failure) {
            throw new UncheckedIOException(folder + ": cannot be read", failure);
        }
    }

    private void readHead(Path file) {
        try {
            var json = MAPPER.readTree(file.toFile());
            if (json instanceof ObjectNode object && json.path("version").asInt() == VERSION) {
                heads.put(file.getFileName().toString().replace(".json", ""), head(object));
                return;
            }
            LoggerFactory.getLogger(Experiments.class).warn("{}: not an experiment of version {}; left as it is", file, VERSION);
        } catch (IOException failure) {
            LoggerFactory.getLogger(Experiments.class).warn("{}: cannot be read ({}); left as it is", file, failure.getMessage());
        }
    }

    private static ObjectNode head(ObjectNode experiment) {
        return experiment.deepCopy().without(List.of("results", "view"));
    }

    int size() {
        return heads.size();
    }

    /** All, without results and view; the newest first. */
    List<ObjectNode> list() {
        return heads.values().stream().sorted((a, b) -> b.path("saved").asText().compareTo(a.path("saved").asText())).toList();
    }

    /** Keeps {@code experiment}, which gets an id. */
    String save(ObjectNode experiment) {
        var id = Tokens.random();
        experiment.put("id", id);
        try {
            Files.createDirectories(folder);
            var part = Files.createTempFile(folder, ".", ".part");
            try {
                Files.write(part, MAPPER.writerWithDefaultPrettyPrinter().writeValueAsBytes(experiment));
                Files.move(part, file(id), StandardCopyOption.ATOMIC_MOVE);
            } finally {
                Files.deleteIfExists(part);
            }
        } catch (IOException failure) {
            throw new Problem(507, "Not saved", "%s cannot be written (%s); start the server with another --data".formatted(folder, failure));
        }
        heads.put(id, head(experiment));
        return id;
    }

    /** A whole experiment; null if there is none of that id. */
    JsonNode load(String id) {
        if (!heads.containsKey(id)) {
            return null;
        }
        try {
            return MAPPER.readTree(file(id).toFile());
        } catch (FileNotFoundException deleted) { // by other means
            heads.remove(id);
            return null;
        } catch (IOException failure) {
            throw new UncheckedIOException(file(id) + ": cannot be read", failure);
        }
    }

    /** Returns whether there was one of that id. */
    boolean delete(String id) {
        if (heads.remove(id) == null) {
            return false;
        }
        try {
            Files.deleteIfExists(file(id));
        } catch (IOException failure) {
            throw new UncheckedIOException(file(id) + ": cannot be deleted", failure);
        }
        return true;
    }

    private Path file(String id) {
        return folder.resolve(id + ".json");
    }
}
