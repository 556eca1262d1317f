package org.lmdebugger.checkpoint;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.math.BigInteger;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.zip.ZipEntry;
import org.apache.commons.compress.archivers.zip.ZipArchiveEntry;
import org.apache.commons.compress.archivers.zip.ZipFile;
import org.lmdebugger.checkpoint.TensorPickle.View;

/**
 * A file written by {@code torch.save}: a pickle that describes tensors, and the storages to which it refers. Since
 * PyTorch 1.6 these are parts of a zip; before, they followed each other. Tensors are used in place, except those whose
 * rows are not contiguous, which are copied.
 */
final class TorchFile {
    private static final ValueLayout.OfLong COUNT = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final byte[] ZIP = {'P', 'K', 3, 4};
    private static final BigInteger MAGIC = new BigInteger("1950a86a20f9469cfc6c", 16); // of the older format
    private static final long PROTOCOL = 1001;
    private static final long LONGEST_PICKLE = 1 << 24; // bytes; that of gpt2-xl has 60,000
    private static final String COMPLETE = "is the download complete?";

    private final LoadedFile file;
    private final Arena arena;
    private final Map<String, MemorySegment> storages = new HashMap<>();
    private long copied; // bytes

    private TorchFile(LoadedFile file, Arena arena) {
        this.file = file;
        this.arena = arena;
    }

    /**
     * Returns the tensors of {@code file}.
     *
     * @throws InvalidModelException if it is damaged or holds anything else
     */
    static List<StoredTensor> entries(LoadedFile file, Arena arena) {
        var torch = new TorchFile(file, arena);
        try {
            return torch.tensors(torch.startsWith(ZIP) ? torch.readZip() : torch.readSequence());
        } catch (IOException | IllegalArgumentException damaged) { // the library throws these for such a zip
            throw torch.wrong("damaged zip: %s; %s".formatted(damaged.getMessage(), COMPLETE), damaged);
        } catch (ArithmeticException | IndexOutOfBoundsException beyond) {
            throw torch.wrong("a tensor or a storage beyond the file's end; " + COMPLETE, beyond);
        }
    }

    private boolean startsWith(byte[] bytes) {
        return file.bytes().byteSize() >= bytes.length
                && file.bytes().asSlice(0, bytes.length).mismatch(MemorySegment.ofArray(bytes)) < 0;
    }

    private Object readZip() throws IOException {
        try (var zip = ZipFile.builder().setPath(file.path()).get()) {
            var pickles = Collections.list(zip.getEntries()).stream()
                    .filter(entry -> entry.getName().matches("[^/]+/data\\.pkl")).toList();
            if (pickles.size() != 1) {
                throw wrong("%d parts called data.pkl (expected: 1, as torch.save writes)".formatted(pickles.size()),
                        null);
            }
            var folder = pickles.getFirst().getName().replace("data.pkl", "");
            var order = zip.getEntry(folder + "byteorder");
            if (order != null && part(order).get(ValueLayout.JAVA_BYTE, 0) == 'b') {
                throw wrong("big-endian (expected: little-endian)", null);
            }
            var pickle = new TensorPickle(file.path());
            var state = pickle.read(stream(part(pickles.getFirst())));
            for (var key : pickle.storages().keySet()) {
                var entry = zip.getEntry(folder + "data/" + key);
                if (entry == null) {
                    throw wrong("storage %s: missing (expected: a part of the zip; %s)".formatted(key, COMPLETE), null);
                }
                storages.put(key, part(entry));
            }
            return state;
        }
    }

    private MemorySegment part(ZipArchiveEntry entry) {
        if (entry.getMethod() != ZipEntry.STORED || entry.getGeneralPurposeBit().usesEncryption()) {
            throw wrong(entry.getName() + ": compressed or encrypted (expected: neither, as torch.save writes)", null);
        }
        return file.bytes().asSlice(entry.getDataOffset(), entry.getSize());
    }

    private Object readSequence() {
        long limit = Math.min(LONGEST_PICKLE, file.bytes().byteSize());
        var in = stream(file.bytes().asSlice(0, limit));
        if (!MAGIC.equals(new TensorPickle(file.path()).read(in))) {
            throw wrong("not a file that torch.save wrote (expected: a zip, or the format before it)", null);
        }
        var protocol = new TensorPickle(file.path()).read(in);
        var system = new TensorPickle(file.path()).read(in);
        if (!(protocol instanceof Number number && number.longValue() == PROTOCOL)
                || !(system instanceof Map<?, ?> properties && Boolean.TRUE.equals(properties.get("little_endian")))) {
            throw wrong("big-endian, or of another version (expected: little-endian, version %d)".formatted(PROTOCOL),
                    null);
        }
        var pickle = new TensorPickle(file.path());
        var state = pickle.read(in);
        if (!(new TensorPickle(file.path()).read(in) instanceof List<?> keys)
                || !pickle.storages().keySet().equals(Set.copyOf(keys))) {
            throw wrong("other storages than its tensors refer to; " + COMPLETE, null);
        }
        long at = limit - in.available();
        for (var key : keys) {
            var storage = pickle.storages().get(key);
            long bytes = Math.multiplyExact(file.bytes().get(COUNT, at), storage.kind().bytes());
            storages.put(storage.key(), file.bytes().asSlice(at + COUNT.byteSize(), bytes));
            at = Math.addExact(at + COUNT.byteSize(), bytes);
        }
        return state;
    }

    private ByteArrayInputStream stream(MemorySegment pickle) {
        if (pickle.byteSize() > LONGEST_PICKLE) {
            throw wrong("data.pkl: %d bytes (expected: at most %d)".formatted(pickle.byteSize(), LONGEST_PICKLE), null);
        }
        return new ByteArrayInputStream(pickle.toArray(ValueLayout.JAVA_BYTE));
    }

    private List<StoredTensor> tensors(Object state) {
        if (!(state instanceof Map<?, ?> map)) {
            throw wrong("no dictionary (expected: tensors by name, as of state_dict)", null);
        }
        var tensors = new ArrayList<StoredTensor>();
        map.forEach((name, value) -> {
            if (name instanceof String text && value instanceof View view) {
                tensors.add(new StoredTensor(file.path(), text, view.storage().kind().dtype(), view.shape(),
                        data(text, view)));
            }
        });
        return tensors;
    }

    private MemorySegment data(String name, View view) {
        var storage = storages.get(view.storage().key());
        int size = view.storage().kind().bytes();
        if (view.strides().size() != view.shape().size()
                || Math.multiplyExact(view.storage().elements(), size) > storage.byteSize()) {
            throw new IndexOutOfBoundsException();
        }
        long count = 1;
        long last = view.offset();
        boolean dense = true;
        for (int axis = view.shape().size() - 1; axis >= 0; axis--) {
            long length = view.shape().get(axis);
            long stride = view.strides().get(axis);
            if (length < 0 || stride < 0) {
                throw new IndexOutOfBoundsException();
            }
            dense &= length == 1 || stride == count;
            last = Math.addExact(last, Math.multiplyExact(Math.max(0, length - 1), stride));
            count = Math.multiplyExact(count, length);
        }
        if (view.offset() < 0 || last >= view.storage().elements() && count > 0) {
            throw new IndexOutOfBoundsException();
        }
        if (count == 0 || dense) {
            return storage.asSlice(count == 0 ? 0 : view.offset() * size, Math.multiplyExact(count, size));
        }
        copied = Math.addExact(copied, Math.multiplyExact(count, size));
        if (copied > file.bytes().byteSize()) { // repeated rows, which could take any amount of memory
            throw wrong(("%s: strides %s of shape %s: more than the file holds "
                    + "(expected: tensors that follow each other)")
                            .formatted(name, view.strides(), view.shape()),
                    null);
        }
        return dense(storage, size, view, count);
    }

    /** Returns a copy of a tensor's elements, row after row. */
    private MemorySegment dense(MemorySegment storage, int size, View view, long count) {
        var copy = arena.allocate(count * size, 64);
        for (long i = 0; i < count; i++) {
            long from = view.offset();
            long rest = i;
            for (int axis = view.shape().size() - 1; axis >= 0; axis--) {
                from += rest % view.shape().get(axis) * view.strides().get(axis);
                rest /= view.shape().get(axis);
            }
            MemorySegment.copy(storage, from * size, copy, i * size, size);
        }
        return copy.asReadOnly();
    }

    private InvalidModelException wrong(String what, Throwable cause) {
        return new InvalidModelException(file.path() + ": " + what, cause);
    }
}
