package org.lmdebugger.files;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/**
 * Writing of files that are there whole or not at all, whatever ends the process or the machine. The content goes to a
 * file beside, {@code .NAME.part}, and from there to the disk before that gets the name. One writer of a file at a
 * time: {@link ProcessLock} sees to that.
 */
public final class AtomicFile {
    private AtomicFile() {
    }

    /** The maker of a file's content. */
    public interface Writer {
        /** Writes all of it to {@code part}, which may be there from a writer that was killed. */
        void write(Path part) throws IOException;
    }

    /**
     * Writes {@code file}, in the place of the one that may be there. If that fails, the old one stays and nothing is
     * left beside it.
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

    /** Writes these bytes as {@code file}, in the same way. */
    public static void write(Path file, byte[] content) throws IOException {
        write(file, part -> Files.write(part, content));
    }
}
