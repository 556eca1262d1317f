package org.lmdebugger.checkpoint;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import net.razorvine.pickle.IObjectConstructor;
import net.razorvine.pickle.Opcodes;
import net.razorvine.pickle.PickleUtils;
import net.razorvine.pickle.Unpickler;

/**
 * A reader of pickles that creates tensors and plain data only. It accepts the Python globals with which tensors are
 * pickled and the opcodes that need no others; anything else is refused by its name. It takes memory in proportion to
 * the pickle.
 */
final class TensorPickle extends Unpickler {
    private static final String EXPECTED = " (expected: tensors by name, and nothing else)";
    private static final Set<Short> PLAIN = Set.of(Opcodes.PROTO, Opcodes.FRAME, Opcodes.STOP, Opcodes.MARK,
            Opcodes.NONE, Opcodes.NEWTRUE, Opcodes.NEWFALSE, Opcodes.BININT, Opcodes.BININT1, Opcodes.BININT2,
            Opcodes.LONG1, Opcodes.BINFLOAT, Opcodes.BINUNICODE, Opcodes.SHORT_BINUNICODE, Opcodes.EMPTY_TUPLE,
            Opcodes.TUPLE,
            Opcodes.TUPLE1, Opcodes.TUPLE2, Opcodes.TUPLE3, Opcodes.EMPTY_LIST, Opcodes.APPEND, Opcodes.APPENDS,
            Opcodes.EMPTY_DICT, Opcodes.BINPUT, Opcodes.LONG_BINPUT, Opcodes.MEMOIZE, Opcodes.BINGET,
            Opcodes.LONG_BINGET, Opcodes.REDUCE, Opcodes.BINPERSID);
    private static final Map<String, Object> GLOBALS = Map.ofEntries(
            Map.entry("collections.OrderedDict", (IObjectConstructor) TensorPickle::orderedDict),
            Map.entry("torch._utils._rebuild_tensor_v2", (IObjectConstructor) TensorPickle::tensor),
            Map.entry("torch._utils._rebuild_parameter", (IObjectConstructor) arguments -> (View) arguments[0]),
            storage("Double", "F64", 8), storage("Float", "F32", 4), storage("Half", "F16", 2),
            storage("BFloat16", "BF16", 2), storage("Long", "I64", 8), storage("Int", "I32", 4),
            storage("Short", "I16", 2), storage("Char", "I8", 1), storage("Byte", "U8", 1), storage("Bool", "BOOL", 1));

    private final Path file;
    private final Map<String, Storage> storages = new HashMap<>();

    /**
     * Creates a reader.
     *
     * @param file the file, for messages
     */
    TensorPickle(Path file) {
        this.file = file;
    }

    /**
     * A type of elements.
     *
     * @param dtype its name in safetensors
     */
    record ElementKind(String dtype, int bytes) {
    }

    /** A storage: a sequence of elements to which tensors refer. */
    record Storage(String key, ElementKind kind, long elements) {
    }

    /** A tensor: element (i, j, …) is the storage's element offset + i·strides[0] + j·strides[1] + …, unchecked. */
    record View(Storage storage, long offset, List<Long> shape, List<Long> strides) {
    }

    private static Map.Entry<String, Object> storage(String name, String dtype, int bytes) {
        return Map.entry("torch." + name + "Storage", new ElementKind(dtype, bytes));
    }

    /** Returns the storages to which the objects read so far refer, by key. */
    Map<String, Storage> storages() {
        return storages;
    }

    /**
     * Reads the next object of {@code in}, up to its end.
     *
     * @throws InvalidModelException if it is anything else
     */
    Object read(ByteArrayInputStream in) {
        try {
            return load(in);
        } catch (InvalidModelException refused) {
            throw refused;
        } catch (IOException | RuntimeException damaged) { // the library throws various kinds for damaged pickles
            throw new InvalidModelException(file + ": damaged pickle; is the download complete?", damaged);
        }
    }

    @Override
    protected Object dispatch(short opcode) throws IOException {
        switch (opcode) {
            case Opcodes.GLOBAL, Opcodes.INST -> {
                var module = PickleUtils.readline(input);
                global(module, PickleUtils.readline(input));
                if (opcode == Opcodes.INST) {
                    throw refused("opcode INST");
                }
            }
            case Opcodes.STACK_GLOBAL -> {
                var name = (String) stack.pop();
                global((String) stack.pop(), name);
            }
            case Opcodes.BUILD -> stack.pop(); // attributes of a dictionary, such as _metadata
            case Opcodes.SETITEM -> {
                var value = stack.pop();
                put(stack.pop(), value);
            }
            case Opcodes.SETITEMS -> {
                var items = stack.pop_all_since_marker();
                for (int i = 0; i < items.size(); i += 2) {
                    put(items.get(i), items.get(i + 1));
                }
            }
            default -> {
                if (!PLAIN.contains(opcode)) {
                    throw refused("opcode 0x%02x".formatted(opcode));
                }
                if (opcode == Opcodes.BINUNICODE) {
                    requireText();
                }
                return super.dispatch(opcode);
            }
        }
        return NO_RETURN_VALUE;
    }

    private void global(String module, String name) {
        var known = GLOBALS.get(module + "." + name);
        if (known == null) {
            throw refused(module + "." + name);
        }
        stack.add(known);
    }

    /** Puts an entry. Keys must be names or numbers: hashing a key that contains itself would never end. */
    @SuppressWarnings("unchecked")
    private void put(Object key, Object value) {
        if (!(key instanceof String || key instanceof Number)) {
            throw refused("a key of another kind than text and numbers");
        }
        ((Map<Object, Object>) stack.peek()).put(key, value);
    }

    /** Checks that a text is as long as its header states, because memory is allocated by that length. */
    private void requireText() throws IOException {
        input.mark(4);
        int length = PickleUtils.bytes_to_integer(PickleUtils.readbytes(input, 4));
        if (length < 0 || length > input.available()) {
            throw new IOException("text of %d bytes, of which %d are there".formatted(length, input.available()));
        }
        input.reset();
    }

    @Override
    protected Object persistentLoad(Object id) {
        if (!(id instanceof Object[] parts) || parts.length < 5 || parts.length > 6 || !"storage".equals(parts[0])
                || !(parts[1] instanceof ElementKind kind) || !(parts[2] instanceof String key)
                || parts.length == 6 && parts[5] != null) {
            throw refused("a persistent id of another kind than a storage");
        }
        var storage = new Storage(key, kind, whole(parts[4]));
        var other = storages.putIfAbsent(key, storage);
        if (other != null && !other.equals(storage)) {
            throw refused("storage %s as two kinds".formatted(key));
        }
        return storage;
    }

    private static Object orderedDict(Object[] arguments) {
        if (arguments.length > 0) {
            throw new IllegalArgumentException("an OrderedDict that is made of something");
        }
        return new LinkedHashMap<Object, Object>();
    }

    private static Object tensor(Object[] arguments) {
        return new View((Storage) arguments[0], whole(arguments[1]), wholes(arguments[2]), wholes(arguments[3]));
    }

    private static List<Long> wholes(Object tuple) {
        return Arrays.stream((Object[]) tuple).map(TensorPickle::whole).toList();
    }

    private static long whole(Object number) {
        if (number instanceof Integer || number instanceof Long) {
            return ((Number) number).longValue();
        }
        throw new IllegalArgumentException("a size that is no whole number");
    }

    private InvalidModelException refused(String what) {
        return new InvalidModelException("%s: %s: not loaded%s".formatted(file,
                what.substring(0, Math.min(100, what.length())).replaceAll("\\p{C}", "?"), EXPECTED));
    }
}
