package org.lmdebugger.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import org.lmdebugger.text.Shown;

/**
 * The header of a safetensors file: 8 bytes of length, then JSON with each tensor's dtype, shape and offsets in the
 * data that follow. The data hold the tensors without gap or overlap, and nothing else.
 */
final class SafetensorsHeader {
    private static final ValueLayout.OfLong LENGTH = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final long LONGEST = 100_000_000; // the format's limit
    private static final String COMPLETE = "is the download complete?";
    private static final Map<String, Integer> BITS = Map.ofEntries(Map.entry("BOOL", 8), Map.entry("F4", 4),
            Map.entry("F6_E2M3", 6), Map.entry("F6_E3M2", 6), Map.entry("U8", 8), Map.entry("I8", 8),
            Map.entry("F8_E5M2", 8), Map.entry("F8_E4M3", 8), Map.entry("F8_E8M0", 8), Map.entry("I16", 16),
            Map.entry("U16", 16), Map.entry("F16", 16), Map.entry("BF16", 16), Map.entry("I32", 32),
            Map.entry("U32", 32), Map.entry("F32", 32), Map.entry("C64", 64), Map.entry("F64", 64),
            Map.entry("I64", 64), Map.entry("U64", 64));

    private final Path file;
    private final MemorySegment data;

    private SafetensorsHeader(Path file, MemorySegment data) {
        this.file = file;
        this.data = data;
    }

    /**
     * Returns the tensors of {@code file}, in the order of their data.
     *
     * @throws InvalidModelException if it is damaged
     */
    static List<StoredTensor> entries(Path file, MemorySegment mapped) {
        long size = mapped.byteSize();
        if (size < 8) {
            throw new InvalidModelException("%s: %d bytes (expected: a header; %s)".formatted(file, size, COMPLETE));
        }
        long length = mapped.get(LENGTH, 0);
        long longest = Math.min(LONGEST, size - 8);
        if (length < 0 || length > longest) {
            throw new InvalidModelException("%s: header of %s bytes (expected: at most %d, as the file has %d; %s)"
                    .formatted(file, Long.toUnsignedString(length), longest, size, COMPLETE));
        }
        var text = JsonFiles.utf8(mapped.asSlice(8, length).toArray(ValueLayout.JAVA_BYTE), file);
        return new SafetensorsHeader(file, mapped.asSlice(8 + length)).entries(JsonFiles.strict(text, file));
    }

    private record Placed(long begin, long end, StoredTensor entry) {
    }

    private List<StoredTensor> entries(JsonNode header) {
        var placed = new ArrayList<Placed>();
        for (var field : header.properties()) {
            if (!field.getKey().equals("__metadata__")) {
                placed.add(place(field.getKey(), field.getValue()));
            }
        }
        placed.sort(Comparator.comparingLong(Placed::begin).thenComparingLong(Placed::end));
        long end = 0;
        for (var next : placed) {
            if (next.begin() != end) {
                throw next.entry().wrong("data_offsets", "[%d, %d]".formatted(next.begin(), next.end()),
                        "to begin at %d, where the data before it end".formatted(end));
            }
            end = next.end();
        }
        if (end != data.byteSize()) {
            throw new InvalidModelException("%s: %d bytes of data (expected: %d, where the last tensor ends)"
                    .formatted(file, data.byteSize(), end));
        }
        return placed.stream().map(Placed::entry).toList();
    }

    private Placed place(String name, JsonNode info) {
        var offsets = info.path("data_offsets");
        long begin = wholeNumber(offsets.path(0));
        long end = wholeNumber(offsets.path(1));
        if (!offsets.isArray() || offsets.size() != 2 || begin < 0 || end < begin || end > data.byteSize()) {
            throw wrong(name, "data_offsets", offsets,
                    "[begin, end] in %d bytes of data; %s".formatted(data.byteSize(), COMPLETE));
        }
        var dtype = info.path("dtype").asText("");
        var bits = BITS.get(dtype);
        if (bits == null) {
            throw wrong(name, "dtype", info.path("dtype"), "a type of the safetensors format");
        }
        var shape = shape(name, info.path("shape"));
        if (!Long.valueOf(8 * (end - begin)).equals(product(bits, shape))) {
            throw wrong(name, "data_offsets", offsets,
                    "the bytes of %s elements of %s".formatted(Shown.of(shape), Shown.of(dtype)));
        }
        return new Placed(begin, end, new StoredTensor(file, name, dtype, shape, data.asSlice(begin, end - begin)));
    }

    private List<Long> shape(String name, JsonNode sizes) {
        var shape = new ArrayList<Long>();
        for (var size : sizes) {
            shape.add(wholeNumber(size));
        }
        if (!sizes.isArray() || shape.contains(-1L)) {
            throw wrong(name, "shape", sizes, "an array of sizes, none negative");
        }
        return List.copyOf(shape);
    }

    /** Returns the value of a whole number that is not negative, else -1. */
    private static long wholeNumber(JsonNode node) {
        return node.isIntegralNumber() && node.canConvertToLong() ? Math.max(-1, node.longValue()) : -1;
    }

    /** Returns bits · shape₀ · shape₁ · …, or null if a factor in that order makes it overflow a long. */
    static Long product(long bits, List<Long> shape) {
        long product = bits;
        for (long size : shape) {
            if (Math.multiplyHigh(product, size) != 0 || product * size < 0) {
                return null;
            }
            product *= size;
        }
        return product;
    }

    private InvalidModelException wrong(String name, String what, JsonNode found, String expected) {
        return new InvalidModelException("%s: %s: %s: %s (expected: %s)"
                .formatted(file, Shown.of(name), what, found.isMissingNode() ? "missing" : Shown.of(found), expected));
    }
}
