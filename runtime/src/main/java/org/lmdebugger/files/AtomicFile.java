package org.lmdebugger.files;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/**
 * Atomic writing of files: a file is complete or absent, even after a crash of the process or the machine. The content
 * is written to a file beside, {@code .NAME.part}, and forced to disk before that is renamed. A file must have one
 * writer at a time, which {@link ProcessLock} ensures.
 */
public final class AtomicFile {
    private AtomicFile() {
    }

    /** A callback that writes a file's content. */
    public interface Writer {
        /** Writes all of the content to {@code part}, which may exist already, left by a writer that was killed. */
        void write(Path part) throws IOException;
    }

    /**
     * Writes {@code file} and replaces an existing one. If that fails, the existing one stays and the part is deleted.
     */
    public static void write(Path file, Writer writer) throws IOException {
        var part = file.resolveSibling("." + file.getFileName() + ".part");
        try {
            writer.write(part);
            try (var channel = FileChannel.open(part, StandardOpenOption.WRITE)) {
                channel.force(true); // else a crash could leave the name without the bytes
            }
            Files.move(part, file, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(part);
        }
    }

    /** Writes bytes as {@code file} and replaces an existing one, atomically. */
    public static void write(Path file, byte[] content) throws IOException {
        write(file, part -> Files.write(part, content));
    }
}
