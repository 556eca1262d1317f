package org.lmdebugger.interpret.corpus;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.zip.CRC32C;
import org.lmdebugger.files.AtomicFile;

/**
 * A file of a corpus and of what was added up of it, finished or not: a head of {@value #HEAD} bytes, with a description in
 * lines and a checksum of all else; then the corpus' tokens and the starts of its documents, padded to 8 bytes; then the
 * sections of each layer. Numbers are little-endian.
 */
final class CorpusFile {
    private static final int HEAD = 1024;
    private static final int DESCRIPTION = HEAD - Long.BYTES;
    private static final int PART = 1 << 20; // bytes in one checksum update or write
    private static final ThreadLocal<ByteBuffer> STAGING = ThreadLocal
            .withInitial(() -> ByteBuffer.allocateDirect(PART));

    private CorpusFile() {
    }

    /**
     * The description of a corpus.
     *
     * @param fingerprint of the model
     * @param precision   of its matrix products
     * @param hash        of the corpus
     * @param window      tokens of a full window
     * @param done        windows that are added up
     */
    record Head(String fingerprint, String precision, String hash, int window, int documents, int tokens, int done) {
        private static final String TEXT = """
                LM-Debugger corpus, version 1
                model %s
                precision %s
                corpus %s
                window %s
                documents %s
                tokens %s
                done %s
                """;
        private static final Pattern FORM = Pattern.compile(TEXT.formatted("([0-9a-f]+)", "(\\w+)", "([0-9a-f]+)",
                "(\\d{1,9})", "(\\d{1,9})", "(\\d{1,10})", "(\\d{1,10})"));

        private String text() {
            return TEXT.formatted(fingerprint, precision, hash, window, documents, tokens, done);
        }

        private static Optional<Head> of(String text) {
            var form = FORM.matcher(text);
            return form.matches() ? Optional.of(new Head(form.group(1), form.group(2), form.group(3), number(form, 4),
                    number(form, 5), number(form, 6), number(form, 7))) : Optional.empty();
        }

        private static int number(MatchResult form, int group) {
            return (int) Math.min(Integer.MAX_VALUE, Long.parseLong(form.group(group)));
        }

        /** Returns whether both are of the same corpus, model and arithmetic. */
        boolean isLike(Head other) {
            return hash.equals(other.hash) && fingerprint.equals(other.fingerprint)
                    && precision.equals(other.precision);
        }
    }

    /** An opened file. @param layers the sections of each layer, mapped */
    record Content(Head head, Corpus corpus, List<MemorySegment> layers) {
    }

    /** Returns a file's description; empty if it is none of these files. */
    static Optional<Head> head(Path file) throws IOException {
        try (var channel = FileChannel.open(file, StandardOpenOption.READ)) {
            var head = ByteBuffer.allocate(DESCRIPTION);
            while (head.hasRemaining() && channel.read(head) >= 0) {
            }
            return Head.of(text(head.array()));
        }
    }

    private static String text(byte[] padded) {
        return new String(padded, StandardCharsets.UTF_8).replace("\0", "");
    }

    /**
     * Opens a file of a model and checks all of it.
     *
     * @param shapes gives the sizes that the corpus has with this model
     * @return empty if the file is damaged
     */
    static Optional<Content> read(Path file, Function<Corpus, Shape> shapes) throws IOException {
        return read(file, shapes, true);
    }

    /** Opens a file that this process has just written. */
    static Optional<Content> readOwn(Path file, Function<Corpus, Shape> shapes) throws IOException {
        return read(file, shapes, false);
    }

    private static Optional<Content> read(Path file, Function<Corpus, Shape> shapes, boolean check) throws IOException {
        var head = head(file);
        if (head.isEmpty()) {
            return Optional.empty();
        }
        try (var channel = FileChannel.open(file, StandardOpenOption.READ)) {
            long size = channel.size();
            var all = channel.map(FileChannel.MapMode.READ_ONLY, 0, size, Arena.ofAuto());
            if (size < HEAD || check && all.asSlice(DESCRIPTION, Long.BYTES).asByteBuffer()
                    .order(ByteOrder.LITTLE_ENDIAN).getLong(0) != checksum(head.get(), List.of(all.asSlice(HEAD)))) {
                return Optional.empty();
            }
            var tokens = new int[head.get().tokens()];
            var starts = new int[head.get().documents() + 1];
            long at = copy(all, copy(all, HEAD, MemorySegment.ofArray(tokens)), MemorySegment.ofArray(starts));
            at += pad(at);
            var corpus = new Corpus(tokens, starts, head.get().window());
            var shape = shapes.apply(corpus);
            if (size != at + shape.layers() * shape.layerBytes()) {
                return Optional.empty();
            }
            var layers = new ArrayList<MemorySegment>();
            for (int l = 0; l < shape.layers(); l++) {
                layers.add(all.asSlice(at + l * shape.layerBytes(), shape.layerBytes()));
            }
            return Optional.of(new Content(head.get(), corpus, layers));
        }
    }

    private static long copy(MemorySegment from, long at, MemorySegment to) {
        MemorySegment.copy(from, at, to, 0, to.byteSize());
        return at + to.byteSize();
    }

    private static long pad(long at) {
        return (Long.BYTES - at % Long.BYTES) % Long.BYTES;
    }

    /** The sections of all layers. */
    interface Layers {
        /** Copies those of one layer to host memory. */
        void copy(int l, MemorySegment to);
    }

    /** Writes a file, whole or not at all; one writer at a time. */
    static void write(Path file, Head head, Corpus corpus, Shape shape, Layers layers) throws IOException {
        var content = new ArrayList<MemorySegment>();
        content.add(MemorySegment.ofArray(corpus.allTokens()));
        content.add(MemorySegment.ofArray(corpus.allStarts()));
        long start = HEAD + content.stream().mapToLong(MemorySegment::byteSize).sum();
        content.add(MemorySegment.ofArray(new byte[(int) pad(start)]));
        AtomicFile.write(file, part -> {
            try (var channel = FileChannel.open(part, StandardOpenOption.CREATE, StandardOpenOption.WRITE,
                    StandardOpenOption.TRUNCATE_EXISTING); var arena = Arena.ofShared()) {
                var sum = new CRC32C();
                sum.update(padded(head));
                long place = append(channel, HEAD, sum, content);
                var layer = arena.allocate(shape.layerBytes(), Double.BYTES);
                for (int l = 0; l < shape.layers(); l++) {
                    layers.copy(l, layer);
                    place = append(channel, place, sum, List.of(layer));
                }
                write(channel, ByteBuffer.allocate(HEAD).order(ByteOrder.LITTLE_ENDIAN).put(padded(head))
                        .putLong(sum.getValue()).flip(), 0);
            }
        });
    }

    /** A part of a segment, and its place in the file. */
    private record Piece(MemorySegment bytes, long place) {
    }

    /**
     * Writes segments one after the other from a place on, by several threads: a disk's cache takes more than one thread can
     * copy. Returns the place after them.
     */
    private static long append(FileChannel channel, long from, CRC32C sum, List<MemorySegment> content)
            throws IOException {
        var pieces = new ArrayList<Piece>();
        long place = from;
        for (var segment : content) {
            for (long at = 0; at < segment.byteSize(); at += PART) {
                pieces.add(new Piece(segment.asSlice(at, Math.min(PART, segment.byteSize() - at)), place + at));
            }
            place += segment.byteSize();
        }
        try {
            pieces.stream().parallel().forEach(piece -> {
                try {
                    write(channel, staged(piece.bytes()), piece.place());
                } catch (IOException failure) {
                    throw new UncheckedIOException(failure);
                }
            });
        } catch (UncheckedIOException failure) {
            throw failure.getCause();
        }
        update(sum, content);
        return place;
    }

    private static byte[] padded(Head head) {
        return Arrays.copyOf(head.text().getBytes(StandardCharsets.UTF_8), DESCRIPTION);
    }

    /** Copies bytes out of whatever array they are in; the copy is this thread's, until the next. */
    private static ByteBuffer staged(MemorySegment bytes) {
        var staging = STAGING.get().clear();
        MemorySegment.copy(bytes, 0, MemorySegment.ofBuffer(staging), 0, bytes.byteSize());
        return staging.limit((int) bytes.byteSize());
    }

    private static void write(FileChannel channel, ByteBuffer bytes, long place) throws IOException {
        for (long at = place; bytes.hasRemaining();) {
            at += channel.write(bytes, at);
        }
    }

    private static long checksum(Head head, List<MemorySegment> content) {
        var sum = new CRC32C();
        sum.update(padded(head));
        update(sum, content);
        return sum.getValue();
    }

    private static void update(CRC32C sum, List<MemorySegment> content) {
        for (var segment : content) {
            for (long at = 0; at < segment.byteSize(); at += PART) {
                sum.update(staged(segment.asSlice(at, Math.min(PART, segment.byteSize() - at))));
            }
        }
    }
}
