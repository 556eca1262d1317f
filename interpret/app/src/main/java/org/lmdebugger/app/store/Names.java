package org.lmdebugger.app.store;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.files.AtomicFile;
import org.lmdebugger.files.ProcessLock;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.text.Shown;

/**
 * The names that people gave to value vectors of a model: one JSON file, replaced whole by one writer at a time, which
 * commands and servers share. All methods may be called from any thread; each reads the file.
 */
public final class Names {
    /** Characters of a name, at most. */
    public static final int LENGTH = 100;

    private static final int VERSION = 1;
    private static final int BYTES = 64 << 20; // of a file, at most: a name for each neuron of a gpt2-xl fits
    private static final Comparator<Neuron> ORDER = Comparator.comparingInt(Neuron::layer)
            .thenComparingInt(Neuron::neuron);

    private final Path folder;
    private final Supplier<String> fingerprint;
    private volatile Path file; // null until it is needed

    /**
     * The names of a model.
     *
     * @param data        the folder of saved names and experiments
     * @param fingerprint the model's; requested once there are names, of any model
     */
    public Names(Path data, Supplier<String> fingerprint) {
        folder = data.resolve("names");
        this.fingerprint = fingerprint;
    }

    private Path file() {
        if (file == null) {
            file = folder.resolve(fingerprint.get() + ".json");
        }
        return file;
    }

    /**
     * Returns all names, by layer and neuron.
     *
     * @throws UncheckedIOException if the file cannot be read or is none of names
     */
    public Map<Neuron, String> all() {
        return Files.isDirectory(folder) ? read() : Map.of();
    }

    private TreeMap<Neuron, String> read() {
        var names = new TreeMap<Neuron, String>(ORDER);
        JsonNode json;
        try {
            if (Files.size(file()) > BYTES) {
                throw damaged(new IOException("more than %,d bytes".formatted(BYTES)));
            }
            json = Json.tree(Files.readAllBytes(file()));
        } catch (NoSuchFileException none) {
            return names;
        } catch (JsonProcessingException failure) {
            throw damaged(failure);
        } catch (IOException failure) {
            throw new UncheckedIOException(file() + ": cannot be read", failure);
        }
        if (json.path("version").asInt() != VERSION || !json.path("names").isObject()) {
            throw damaged(new IOException("no names of version " + VERSION));
        }
        try {
            json.get("names").properties()
                    .forEach(each -> names.put(Neuron.parse(each.getKey()), checked(each.getValue().textValue())));
        } catch (IllegalArgumentException failure) {
            throw damaged(new IOException(failure.getMessage()));
        }
        return names;
    }

    private UncheckedIOException damaged(IOException why) {
        return new UncheckedIOException(("%s: not a file of names "
                + "(expected: what lmdebug wrote; mend it, or move it away): %s").formatted(file(),
                        Shown.of(why.getMessage())),
                why);
    }

    /** Returns the name of {@code vector}, if it has one. */
    public Optional<String> of(Neuron vector) {
        return Optional.ofNullable(all().get(vector));
    }

    /** Names {@code vector}, in place of an earlier name. Returns the name, without space around it. */
    public String put(Neuron vector, String name) {
        var stripped = checked(name);
        change(names -> names.put(vector, stripped));
        return stripped;
    }

    /** Removes the name of {@code vector}, if it has one. */
    public void remove(Neuron vector) {
        if (all().containsKey(vector)) {
            change(names -> names.remove(vector));
        }
    }

    private static String checked(String name) {
        if (name == null) {
            throw new IllegalArgumentException("name: missing (expected: a text)");
        }
        var stripped = name.strip();
        int length = stripped.codePointCount(0, stripped.length());
        if (length < 1 || length > LENGTH) {
            throw new IllegalArgumentException("name: %d characters (expected: 1 to %d)".formatted(length, LENGTH));
        }
        if (!StandardCharsets.UTF_8.newEncoder().canEncode(stripped)
                || stripped.codePoints().anyMatch(Names::isControl)) {
            throw new IllegalArgumentException(
                    "name: a control character or half a character in it (expected: text on one line)");
        }
        return stripped;
    }

    private static boolean isControl(int c) {
        return Character.isISOControl(c) || Character.getType(c) == Character.LINE_SEPARATOR
                || Character.getType(c) == Character.PARAGRAPH_SEPARATOR;
    }

    private void change(Consumer<Map<Neuron, String>> edit) {
        try (var _ = ProcessLock.take(file().resolveSibling(file().getFileName() + ".lock"), () -> {})) {
            var names = read();
            edit.accept(names);
            var list = new LinkedHashMap<String, String>();
            names.forEach((vector, text) -> list.put(vector.toString(), text));
            var json = Json.print(Json.object("version", VERSION, "names", list));
            AtomicFile.write(file(), json.getBytes(StandardCharsets.UTF_8));
        } catch (IOException failure) {
            throw new UncheckedIOException(file() + ": cannot be written (see --data)", failure);
        }
    }
}
