package org.lmdebugger.app.store;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.zip.CRC32C;
import org.lmdebugger.files.AtomicFile;

/**
 * A file of data with a description: a head of {@value #HEAD} bytes, with a title padded by zeros and a checksum of
 * all else, then the data. A file of another title, another length or another checksum is not read.
 */
final class CacheFile {
    static final int HEAD = 256;
    private static final int TITLE = HEAD - Long.BYTES;
    private static final int PART = 1 << 26; // bytes in one checksum update or write

    private final Path path;
    private final byte[] title;
    private final long byteSize; // of the data

    /** A file with other data than expected. */
    static final class DamagedException extends Exception {
        private static final long serialVersionUID = 1;

        DamagedException(String why) {
            super(why);
        }
    }

    CacheFile(Path path, String title, long byteSize) {
        this.path = path;
        this.byteSize = byteSize;
        var bytes = title.getBytes(StandardCharsets.UTF_8);
        if (bytes.length > TITLE) {
            throw new IllegalArgumentException("title: %d bytes (expected: at most %d)".formatted(bytes.length, TITLE));
        }
        this.title = Arrays.copyOf(bytes, TITLE);
    }

    /** Returns the data, mapped as long as {@code arena} lives; null if there is no file. */
    MemorySegment read(Arena arena) throws IOException, DamagedException {
        try (var channel = FileChannel.open(path, StandardOpenOption.READ)) {
            if (channel.size() != HEAD + byteSize) {
                throw new DamagedException("%,d bytes (expected: %,d)".formatted(channel.size(), HEAD + byteSize));
            }
            var all = channel.map(FileChannel.MapMode.READ_ONLY, 0, HEAD + byteSize, arena);
            var head = all.asSlice(0, HEAD).asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
            var data = all.asSlice(HEAD);
            if (!head.slice(0, TITLE).equals(ByteBuffer.wrap(title))) {
                throw new DamagedException("it is of something else");
            }
            if (head.getLong(TITLE) != checksum(data)) {
                throw new DamagedException("its checksum is wrong");
            }
            return data;
        } catch (NoSuchFileException none) {
            return null;
        }
    }

    /** Writes the file, whole or not at all; one writer at a time. */
    void write(MemorySegment data) throws IOException {
        var head = ByteBuffer.allocate(HEAD).order(ByteOrder.LITTLE_ENDIAN).put(title).putLong(checksum(data)).flip();
        AtomicFile.write(path, part -> {
            try (var channel = FileChannel.open(part, StandardOpenOption.CREATE, StandardOpenOption.WRITE,
                    StandardOpenOption.TRUNCATE_EXISTING)) {
                write(channel, head);
                for (long at = 0; at < data.byteSize(); at += PART) {
                    write(channel, part(data, at));
                }
            }
        });
    }

    private static void write(FileChannel channel, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    private long checksum(MemorySegment data) {
        var sum = new CRC32C();
        sum.update(title);
        for (long at = 0; at < data.byteSize(); at += PART) {
            sum.update(part(data, at));
        }
        return sum.getValue();
    }

    private static ByteBuffer part(MemorySegment data, long at) {
        return data.asSlice(at, Math.min(PART, data.byteSize() - at)).asByteBuffer();
    }
}
