package org.lmdebugger.bindings;

import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.regex.Pattern;

/**
 * Temporary folders named after their process, {@code lmdebugger-PID-…}. A process deletes its own folders; those of
 * processes that were killed are deleted when the next folder is made.
 */
public final class TemporaryFolders {
    private static final Pattern NAME = Pattern.compile("lmdebugger-(\\d{1,18})-.*");
    /**
     * Minimum age for deletion: a process of another container, whose id is not known here, has done its loading by then.
     */
    private static final Duration ABANDONED = Duration.ofMinutes(1);

    private TemporaryFolders() {
    }

    /** Makes a new folder in {@code parent} that only its owner can read. The caller deletes it. */
    public static Path create(Path parent) throws IOException {
        var folder = Files.createTempDirectory(parent, "lmdebugger-%d-".formatted(ProcessHandle.current().pid()));
        deleteAbandoned(folder);
        return folder;
    }

    /** Deletes the folders beside {@code own}, of the same user, whose processes have ended. */
    private static void deleteAbandoned(Path own) {
        try (var siblings = Files.newDirectoryStream(own.getParent(), "lmdebugger-*")) {
            for (var folder : siblings) {
                if (isAbandoned(folder)
                        && Files.getOwner(folder, LinkOption.NOFOLLOW_LINKS).equals(Files.getOwner(own))) {
                    delete(folder);
                }
            }
        } catch (IOException | DirectoryIteratorException later) {
            // another process deletes them too, or the next one will
        }
    }

    private static boolean isAbandoned(Path folder) throws IOException {
        var name = NAME.matcher(folder.getFileName().toString());
        return name.matches() && Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)
                && ProcessHandle.of(Long.parseLong(name.group(1))).isEmpty()
                && Files.getLastModifiedTime(folder).compareTo(FileTime.from(Instant.now().minus(ABANDONED))) < 0;
    }

    private static void delete(Path folder) throws IOException {
        try (var files = Files.newDirectoryStream(folder)) {
            for (var file : files) {
                Files.delete(file);
            }
        }
        Files.delete(folder);
    }
}
