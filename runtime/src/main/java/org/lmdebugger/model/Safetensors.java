package org.lmdebugger.model;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.lmdebugger.device.ElementType;

/**
 * The tensors of a checkpoint in safetensors format, mapped into memory and read-only. Any thread may read them until
 * {@link #close()}. A file that somebody shortens meanwhile cannot be told from here, as with any mapped file.
 */
public final class Safetensors implements AutoCloseable {
    private static final ValueLayout.OfLong LENGTH = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final long LONGEST_HEADER = 100_000_000; // as the format says

    /** One tensor: where it came from, its shape, and its elements, row after row. */
    public record Entry(Path file, String name, ElementType type, List<Long> shape, MemorySegment data) {
    }

    private final Arena arena;
    private final Map<String, Entry> entries = new TreeMap<>();
    private final Path origin;

    private Safetensors(Arena arena, Path origin) {
        this.arena = arena;
        this.origin = origin;
    }

    /**
     * The weights in {@code directory}: {@code model.safetensors}, or the files that
     * {@code model.safetensors.index.json} names.
     *
     * @throws InvalidModelException if they are missing or damaged
     */
    public static Safetensors open(Path directory) {
        var single = directory.resolve("model.safetensors");
        var index = directory.resolve("model.safetensors.index.json");
        if (Files.exists(single)) {
            return open(directory, List.of(single));
        }
        if (Files.exists(index)) {
            return open(directory, shards(index));
        }
        throw new InvalidModelException("%s: no weights (expected: model.safetensors or model.safetensors.index.json)".formatted(directory));
    }

    /** The files that an index names, each of them beside it. */
    static List<Path> shards(Path index) {
        var map = JsonFiles.read(index).path("weight_map");
        var files = new ArrayList<Path>();
        for (var value : map) {
            var name = value.asText("");
            if (!name.matches("[A-Za-z0-9._-]+") || name.startsWith(".")) {
                throw new InvalidModelException("%s: %s (expected: the name of a file beside it)".formatted(index, value));
            }
            files.add(index.resolveSibling(name));
        }
        if (files.isEmpty()) {
            throw new InvalidModelException(index + ": weight_map: empty or missing (expected: a file for each tensor)");
        }
        return files.stream().distinct().sorted().toList();
    }

    private static Safetensors open(Path origin, List<Path> files) {
        var arena = Arena.ofShared();
        try {
            var tensors = new Safetensors(arena, origin);
            files.forEach(tensors::map);
            return tensors;
        } catch (Throwable failure) {
            arena.close();
            throw failure;
        }
    }

    private void map(Path file) {
        try (var channel = FileChannel.open(file)) {
            long size = channel.size();
            if (size < 8) {
                throw new InvalidModelException("%s: %d bytes (expected: a header; is the download complete?)".formatted(file, size));
            }
            var mapped = channel.map(FileChannel.MapMode.READ_ONLY, 0, size, arena);
            long headerLength = mapped.get(LENGTH, 0);
            if (headerLength < 2 || headerLength > LONGEST_HEADER || headerLength > size - 8) {
                throw new InvalidModelException("%s: header of %d bytes (expected: at most %d, in a file of %d; is the download complete?)"
                        .formatted(file, headerLength, Math.min(LONGEST_HEADER, size - 8), size));
            }
            var header = mapped.asSlice(8, headerLength).toArray(ValueLayout.JAVA_BYTE);
            read(file, JsonFiles.parse(header, file), mapped.asSlice(8 + headerLength));
        } catch (NoSuchFileException failure) {
            throw new InvalidModelException(file + ": missing (expected: a part of the weights)", failure);
        } catch (IOException failure) {
            throw new UncheckedIOException(file + ": cannot be read", failure);
        }
    }

    private void read(Path file, JsonNode header, MemorySegment data) {
        var found = new ArrayList<Entry>();
        for (var field : header.properties()) {
            if (!field.getKey().equals("__metadata__")) {
                found.add(entry(file, field.getKey(), field.getValue(), data));
            }
        }
        found.sort(Comparator.<Entry>comparingLong(entry -> entry.data().address()).thenComparing(entry -> entry.data().byteSize()));
        long end = data.address();
        for (var entry : found) {
            if (entry.data().address() != end) {
                throw new InvalidModelException("%s: %s: %s the tensor before it (expected: to start where that ends)".formatted(
                        file, entry.name(), entry.data().address() < end ? "overlaps" : "leaves a gap after"));
            }
            end += entry.data().byteSize();
            if (entries.put(entry.name(), entry) != null) {
                throw new InvalidModelException("%s: %s: in two files (expected: once)".formatted(file, entry.name()));
            }
        }
        if (end != data.address() + data.byteSize()) {
            throw new InvalidModelException("%s: %d bytes after the last tensor (expected: none)".formatted(
                    file, data.address() + data.byteSize() - end));
        }
    }

    private static Entry entry(Path file, String name, JsonNode info, MemorySegment data) {
        var offsets = info.path("data_offsets");
        var shape = new ArrayList<Long>();
        long elements = 1;
        for (var size : info.path("shape")) {
            if (!size.canConvertToLong() || !size.isIntegralNumber() || size.asLong() < 0) {
                throw wrong(file, name, "shape", info.path("shape"), "sizes, none negative");
            }
            shape.add(size.asLong());
            elements = saturatedProduct(elements, size.asLong());
        }
        if (!info.path("shape").isArray() || !offsets.isArray() || offsets.size() != 2) {
            throw wrong(file, name, "entry", info, "dtype, shape and two data_offsets");
        }
        long begin = offsets.get(0).canConvertToLong() ? offsets.get(0).asLong(-1) : -1;
        long end = offsets.get(1).canConvertToLong() ? offsets.get(1).asLong(-1) : -1;
        if (begin < 0 || end < begin || end > data.byteSize()) {
            throw wrong(file, name, "data_offsets", offsets, "within the " + data.byteSize() + " bytes of data; is the download complete?");
        }
        var dtype = info.path("dtype").asText("");
        var type = switch (dtype) {
            case "F32" -> ElementType.F32;
            case "F16" -> ElementType.F16;
            case "BF16" -> ElementType.BF16;
            default -> null; // a buffer that no model here asks for, such as a mask of booleans
        };
        if (type != null && saturatedProduct(elements, type.bytes()) != end - begin) {
            throw wrong(file, name, "data_offsets", offsets, shape + " elements of " + dtype);
        }
        return new Entry(file, name, type, List.copyOf(shape), data.asSlice(begin, end - begin));
    }

    private static long saturatedProduct(long a, long b) {
        long high = Math.multiplyHigh(a, b);
        return high != 0 || a * b < 0 ? Long.MAX_VALUE : a * b;
    }

    private static InvalidModelException wrong(Path file, String name, String what, Object found, String expected) {
        return new InvalidModelException("%s: %s: %s: %s (expected: %s)".formatted(file, name, what, found, expected));
    }

    /** Whether there is a tensor of that name, with or without a leading {@code transformer.}. */
    public boolean contains(String name) {
        return entries.containsKey(name) || entries.containsKey("transformer." + name);
    }

    /**
     * The tensor of that name, with or without a leading {@code transformer.}.
     *
     * @throws InvalidModelException if there is none, or it has another shape, or elements that are not F32, F16, BF16
     */
    public Entry get(String name, long... shape) {
        var entry = entries.getOrDefault(name, entries.get("transformer." + name));
        if (entry == null) {
            throw new InvalidModelException("%s: %s: missing (expected: a tensor of shape %s)".formatted(origin, name, Arrays.toString(shape)));
        }
        if (!entry.shape().equals(Arrays.stream(shape).boxed().toList())) {
            throw wrong(entry.file(), name, "shape", entry.shape(), Arrays.toString(shape));
        }
        if (entry.type() == null) {
            throw wrong(entry.file(), name, "dtype", "another", "F32, F16 or BF16");
        }
        return entry;
    }

    /** Ends the mapping; tensors that use it in place end with it. */
    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
