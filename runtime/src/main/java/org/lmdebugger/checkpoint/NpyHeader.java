package org.lmdebugger.checkpoint;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import org.lmdebugger.text.Shown;

/**
 * The header of a NumPy {@code .npy} file of version 1, 2 or 3: a magic text, the version, the length of a Python
 * dictionary, and the dictionary with the array's dtype, order and shape. The elements follow, and nothing else.
 */
final class NpyHeader {
    private static final MemorySegment MAGIC = MemorySegment
            .ofArray("\u0093NUMPY".getBytes(StandardCharsets.ISO_8859_1));
    private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED
            .withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final long LONGEST = 10_000; // NumPy's own limit
    private static final String COMPLETE = "is the file complete?";
    private static final String VALUE = "[\\w.]+|['\"][^'\"]*['\"]|\\([^()]*\\)|\\[.*\\]"; // name, text, tuple, list
    private static final Pattern ENTRY = Pattern.compile(
            "\\s*['\"](descr|fortran_order|shape)['\"]\\s*:\\s*(" + VALUE + ")\\s*(?:,|\\z)", Pattern.DOTALL);
    private static final Pattern FLOAT = Pattern.compile("['\"]([<>])f([248])['\"]");
    private static final Pattern SIZE = Pattern.compile("\\d{1,18}L?"); // NumPy for Python 2 wrote the L

    private NpyHeader() {
    }

    /** Returns whether a file begins as a NumPy file does. */
    static boolean begins(MemorySegment mapped) {
        return mapped.byteSize() >= MAGIC.byteSize()
                && mapped.asSlice(0, MAGIC.byteSize()).mismatch(MAGIC) < 0;
    }

    /**
     * Returns the array of {@code file}, which {@linkplain #begins begins} as a NumPy file.
     *
     * @throws InvalidModelException if it is damaged or of another version, or the elements are not f2, f4 or f8
     */
    static StoredArray array(Path file, MemorySegment mapped) {
        long size = mapped.byteSize();
        if (size < 12) {
            throw new InvalidModelException("%s: %d bytes (expected: a header; %s)".formatted(file, size, COMPLETE));
        }
        int version = Byte.toUnsignedInt(mapped.get(ValueLayout.JAVA_BYTE, 6));
        int minor = Byte.toUnsignedInt(mapped.get(ValueLayout.JAVA_BYTE, 7));
        if (version < 1 || version > 3 || minor != 0) {
            throw new InvalidModelException("%s: version %d.%d of the NumPy format (expected: 1.0, 2.0 or 3.0)"
                    .formatted(file, version, minor));
        }
        int start = version == 1 ? 10 : 12;
        long length = version == 1 ? Short.toUnsignedLong(mapped.get(SHORT, 8))
                : Integer.toUnsignedLong(mapped.get(INT, 8));
        long longest = Math.min(LONGEST, size - start);
        if (length > longest) {
            throw new InvalidModelException("%s: header of %d bytes (expected: at most %d, as the file has %d; %s)"
                    .formatted(file, length, longest, size, COMPLETE));
        }
        var text = new String(mapped.asSlice(start, length).toArray(ValueLayout.JAVA_BYTE),
                StandardCharsets.ISO_8859_1); // letters beyond ASCII are only in names of fields, which are refused
        return array(file, text.strip(), mapped.asSlice(start + length));
    }

    private static StoredArray array(Path file, String text, MemorySegment data) {
        var entries = entries(text).orElseThrow(() -> damaged(file, text));
        var shape = shape(entries.get("shape")).orElseThrow(() -> damaged(file, text));
        var fortran = entries.get("fortran_order");
        if (!fortran.equals("True") && !fortran.equals("False")) {
            throw damaged(file, text);
        }
        var dtype = FLOAT.matcher(entries.get("descr"));
        if (!dtype.matches()) {
            throw new InvalidModelException("%s: dtype: %s (expected: '<f2', '<f4', '<f8', '>f2', '>f4' or '>f8')"
                    .formatted(file, Shown.of(entries.get("descr"))));
        }
        int bits = 8 * Integer.parseInt(dtype.group(2));
        if (!Long.valueOf(8 * data.byteSize()).equals(SafetensorsHeader.product(bits, shape))) {
            throw new InvalidModelException("%s: %d bytes of data (expected: those of %s elements of %d bits; %s)"
                    .formatted(file, data.byteSize(), Shown.of(shape), bits, COMPLETE));
        }
        var order = dtype.group(1).equals("<") ? ByteOrder.LITTLE_ENDIAN : ByteOrder.BIG_ENDIAN;
        return new StoredArray(file.toString(), "F" + bits, order, fortran.equals("True"), shape, data);
    }

    /** Returns the three values of a dictionary as they are written, or nothing if it is something else. */
    private static Optional<Map<String, String>> entries(String text) {
        var inside = text.startsWith("{") && text.endsWith("}") ? text.substring(1, text.length() - 1).strip() : "";
        var entries = new HashMap<String, String>();
        var entry = ENTRY.matcher(inside);
        for (int at = 0; at < inside.length(); at = entry.end()) {
            if (!entry.region(at, inside.length()).lookingAt() || entries.put(entry.group(1), entry.group(2)) != null) {
                return Optional.empty();
            }
        }
        return entries.size() == 3 ? Optional.of(entries) : Optional.empty();
    }

    /** Returns the sizes in a tuple, or nothing if it is something else. */
    private static Optional<List<Long>> shape(String tuple) {
        var shape = new ArrayList<Long>();
        for (var size : tuple.replaceAll("^\\(\\s*|\\s*\\)$", "").split("\\s*,\\s*")) {
            if (SIZE.matcher(size).matches()) {
                shape.add(Long.valueOf(size.replace("L", "")));
            } else if (!tuple.equals("()")) {
                return Optional.empty();
            }
        }
        return Optional.of(shape);
    }

    private static InvalidModelException damaged(Path file, String text) {
        return new InvalidModelException(
                "%s: header: %s (expected: descr, fortran_order and shape, as numpy.save writes them; is it damaged?)"
                        .formatted(file, Shown.of(text)));
    }
}
