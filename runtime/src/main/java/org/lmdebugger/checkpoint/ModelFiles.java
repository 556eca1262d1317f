package org.lmdebugger.checkpoint;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * A checkpoint on disk.
 *
 * @param name      its name for people
 * @param directory the directory of {@code config.json}, the weights and the tokenizer's files
 */
public record ModelFiles(String name, Path directory) {
    /** Returns the checkpoint in a directory, named by the last component of its path. */
    public static ModelFiles of(Path directory) {
        return new ModelFiles(directory.toAbsolutePath().normalize().getFileName().toString(), directory);
    }

    /**
     * Returns the files that hold the weights.
     *
     * @throws InvalidModelException if there are none
     */
    public List<Path> weights() {
        return Weights.files(directory);
    }

    /**
     * Returns the size of the weights in bytes.
     *
     * @throws InvalidModelException if there are none
     */
    public long byteSize() {
        try {
            long size = 0;
            for (var file : weights()) {
                size += Files.size(file);
            }
            return size;
        } catch (IOException failure) {
            throw unreadable(failure);
        }
    }

    private UncheckedIOException unreadable(IOException failure) {
        return new UncheckedIOException(directory + ": cannot be read", failure);
    }
}
