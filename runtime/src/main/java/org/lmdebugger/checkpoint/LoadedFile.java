package org.lmdebugger.checkpoint;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.Arrays;
import java.util.Objects;
import java.util.Optional;

/**
 * A loaded file: its bytes, mapped or copied, and the state of the file at that time. Mapped bytes change when the file
 * is overwritten, but not when it is replaced by another file.
 */
public final class LoadedFile {
    private static final byte[] POINTER = "version https://git-lfs.github.com/spec/"
            .getBytes(StandardCharsets.US_ASCII);
    private static final long LONGEST_POINTER = 1024; // Git LFS's limit
    private static final long PART = 1 << 30; // a buffer holds less than 2 GiB

    private final Path path;
    private final State state;
    private final MemorySegment bytes;

    /**
     * The state of a file.
     *
     * @param key the identity of the file, which a replacement at the same path changes; null if the system has none
     */
    private record State(long size, FileTime modified, Object key) {
        /** Returns the state of a regular file. A pipe or device is refused before it is opened, which might block. */
        static State of(Path path) throws IOException {
            var attributes = Files.readAttributes(path, BasicFileAttributes.class);
            if (!attributes.isRegularFile()) {
                throw new InvalidModelException("%s: %s (expected: a regular file)".formatted(path,
                        attributes.isDirectory() ? "a directory" : "a pipe, a socket or a device"));
            }
            return new State(attributes.size(), attributes.lastModifiedTime(), attributes.fileKey());
        }
    }

    private LoadedFile(Path path, State state, MemorySegment bytes) {
        this.path = path;
        this.state = state;
        this.bytes = bytes;
        refusePointer();
    }

    /**
     * Maps {@code path} until {@code arena} ends.
     *
     * @throws InvalidModelException if it is no regular file
     */
    static LoadedFile map(Path path, Arena arena) {
        return open(path, (channel, size) -> channel.map(FileChannel.MapMode.READ_ONLY, 0, size, arena));
    }

    /**
     * Copies {@code path} into memory of {@code arena}.
     *
     * @throws InvalidModelException if it is no regular file
     */
    public static LoadedFile copy(Path path, Arena arena) {
        return open(path, (channel, size) -> {
            var copy = arena.allocate(size, 64);
            for (long at = 0; at < size;) {
                int count = channel.read(copy.asSlice(at, Math.min(PART, size - at)).asByteBuffer(), at);
                if (count < 0) {
                    throw new InvalidModelException("%s: ends at %d bytes (expected: %d, as it began with)"
                            .formatted(path, at, size));
                }
                at += count;
            }
            return copy.asReadOnly();
        });
    }

    private interface Reader {
        MemorySegment read(FileChannel channel, long size) throws IOException;
    }

    private static LoadedFile open(Path path, Reader reader) {
        try {
            var state = State.of(path);
            try (var channel = FileChannel.open(path)) {
                return new LoadedFile(path, state, reader.read(channel, channel.size()));
            }
        } catch (NoSuchFileException failure) {
            throw new InvalidModelException(path + ": missing (is the download complete?)", failure);
        } catch (IOException failure) {
            throw new UncheckedIOException(path + ": cannot be read", failure);
        }
    }

    /** Refuses a Git LFS pointer: a text of three lines in place of a large file, left by a clone without Git LFS. */
    private void refusePointer() {
        if (bytes.byteSize() > LONGEST_POINTER || bytes.byteSize() < POINTER.length
                || !Arrays.equals(bytes.asSlice(0, POINTER.length).toArray(ValueLayout.JAVA_BYTE), POINTER)) {
            return;
        }
        var text = new String(bytes.toArray(ValueLayout.JAVA_BYTE), StandardCharsets.ISO_8859_1);
        var size = text.lines().filter(line -> line.matches("size \\d{1,18}")).findFirst()
                .map(line -> " of %s bytes".formatted(line.substring(5))).orElse("");
        throw new InvalidModelException(("%s: a Git LFS pointer (expected: the file%s that it stands for; "
                + "fetch it with: git lfs pull)").formatted(path, size));
    }

    Path path() {
        return path;
    }

    MemorySegment bytes() {
        return bytes;
    }

    /** Returns the change of the file, as {@code FILE: replaced since it was loaded}, or nothing. */
    public Optional<String> change() {
        var now = now();
        return state.equals(now) ? Optional.empty()
                : Optional.of("%s: %s since it was loaded".formatted(path,
                        now == null ? "removed" : isSame(now) ? "written over" : "replaced"));
    }

    /**
     * Checks the file.
     *
     * @throws InvalidModelException if the bytes may differ from those that were loaded
     */
    public void requireSameBytes() {
        var now = now();
        if (bytes.isMapped() && now != null && isSame(now) && !state.equals(now)) {
            throw new InvalidModelException(change().orElseThrow() + " (expected: no change; load the model again)");
        }
    }

    private boolean isSame(State now) {
        return Objects.equals(state.key(), now.key());
    }

    private State now() {
        try {
            return State.of(path);
        } catch (IOException | InvalidModelException gone) {
            return null;
        }
    }
}
