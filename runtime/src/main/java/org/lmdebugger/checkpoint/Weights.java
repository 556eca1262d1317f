package org.lmdebugger.checkpoint;

import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.lmdebugger.text.Shown;

/**
 * The tensors of a checkpoint in <a href="https://github.com/huggingface/safetensors#format">safetensors format</a> or,
 * if there is none, PyTorch's. They are read-only, and either mapped into memory and read on first access, or copied
 * into memory.
 *
 * <p>One thread gets tensors; any may read them until {@link #close()}, after which access throws
 * {@link IllegalStateException}. Mapped bytes are those of the file: if it is overwritten, they change, and if it is
 * truncated, access to the lost part throws an {@link InternalError} or ends the process. Copied bytes are
 * independent of the file. A tensor in PyTorch's format whose rows are not contiguous is always copied.
 */
public final class Weights implements AutoCloseable {
    /** The files of weights, and the indices that name such files; the first that exists counts. */
    public static final List<String> NAMES = List.of("model.safetensors", "model.safetensors.index.json",
            "pytorch_model.bin", "pytorch_model.bin.index.json");
    private static final Pattern SHARD = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9._-]*"); // never a path elsewhere

    private final Path origin;
    private final Arena arena;
    private final List<LoadedFile> files = new ArrayList<>();
    private final Map<String, StoredTensor> entries = new TreeMap<>();
    private final Set<String> unread = new TreeSet<>();

    private Weights(Path origin, Arena arena) {
        this.origin = origin;
        this.arena = arena;
    }

    /**
     * Opens the weights in {@code directory}: {@code model.safetensors}, or the files that
     * {@code model.safetensors.index.json} names, or {@code pytorch_model.bin}, or its parts likewise.
     *
     * @param copy whether they are copied into memory instead of mapped
     * @throws InvalidModelException if they are missing or damaged
     */
    public static Weights open(Path directory, boolean copy) {
        var paths = files(directory);
        var arena = Arena.ofShared();
        try {
            var weights = new Weights(directory, arena);
            for (var path : paths) {
                weights.add(copy ? LoadedFile.copy(path, arena) : LoadedFile.map(path, arena));
            }
            weights.unread.addAll(weights.entries.keySet());
            return weights;
        } catch (Throwable failure) {
            arena.close();
            throw failure;
        }
    }

    /**
     * Returns the files that hold the weights in {@code directory}.
     *
     * @throws InvalidModelException if there are none
     */
    public static List<Path> files(Path directory) {
        var name = NAMES.stream().filter(each -> Files.exists(directory.resolve(each))).findFirst()
                .orElseThrow(() -> new InvalidModelException(
                        "%s: no weights (expected: %s; other formats must be converted)"
                                .formatted(directory, String.join(" or ", NAMES))));
        var file = directory.resolve(name);
        return name.endsWith(".json") ? shards(file).stream().map(directory::resolve).toList() : List.of(file);
    }

    /** Returns the names of the files listed in an index, which must lie beside it. */
    public static List<String> shards(Path index) {
        var names = new ArrayList<String>();
        for (var value : JsonFiles.read(index).path("weight_map")) {
            if (!value.isTextual() || !SHARD.matcher(value.textValue()).matches()) {
                throw new InvalidModelException("%s: weight_map: %s (expected: the name of a file beside it)"
                        .formatted(index, Shown.of(value)));
            }
            names.add(value.textValue());
        }
        if (names.isEmpty()) {
            throw new InvalidModelException(index + ": weight_map: empty or missing (expected: files by tensor)");
        }
        return names.stream().distinct().sorted().toList();
    }

    private void add(LoadedFile file) {
        files.add(file);
        var tensors = file.path().toString().endsWith(".bin") ? TorchFile.entries(file, arena)
                : SafetensorsHeader.entries(file.path(), file.bytes());
        for (var entry : tensors) {
            var other = entries.put(entry.name(), entry);
            if (other != null) {
                throw new InvalidModelException("%s: %s: also in %s (expected: in one file)"
                        .formatted(file.path(), Shown.of(entry.name()), other.file()));
            }
        }
    }

    /** Returns the loaded files, in the order of their names. */
    public List<LoadedFile> loaded() {
        return files;
    }

    /** Returns whether there is a tensor of that name, with or without a leading {@code transformer.}. */
    public boolean contains(String name) {
        return find(name) != null;
    }

    /**
     * Returns the tensor of that name, with a leading {@code transformer.} or, if there is none with it, without.
     *
     * @throws InvalidModelException if there is none, or if it has another shape, elements of another type than F32,
     *     F16, BF16 and F64 (rounded to F32), or elements that are not finite: all are read
     */
    public StoredTensor get(String name, long... shape) {
        var entry = find(name);
        if (entry == null) {
            throw new InvalidModelException("%s: %s: missing (expected: a tensor of shape %s%s)"
                    .formatted(origin, name, Arrays.toString(shape), similar(name)));
        }
        var expected = Arrays.stream(shape).boxed().toList();
        if (!entry.shape().equals(expected)) {
            throw entry.wrong("shape", entry.shape(), expected + (entry.shape().equals(expected.reversed())
                    ? ", not transposed"
                    : ""));
        }
        var numbers = entry.rounded(arena);
        numbers.requireFinite();
        unread.remove(entry.name());
        return numbers;
    }

    private StoredTensor find(String name) {
        return entries.getOrDefault("transformer." + name, entries.get(name));
    }

    /** Returns a hint at a tensor of that name with a prefix, as programs that wrap a model leave one. */
    private String similar(String name) {
        return entries.keySet().stream().filter(other -> other.endsWith("." + name)).findFirst()
                .map(other -> "; there is " + other).orElse("");
    }

    /** Returns the names of the tensors that have not been requested, sorted. */
    public List<String> unread() {
        return List.copyOf(unread);
    }

    /** Unmaps or frees the weights, which invalidates all tensors that use them in place; further calls do nothing. */
    @Override
    public synchronized void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
