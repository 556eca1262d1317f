package org.lmdebugger.model;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A checkpoint on disk.
 *
 * @param name      what people call it
 * @param directory where {@code config.json}, the weights and the tokenizer's files lie
 */
public record ModelFiles(String name, Path directory) {
    /** A directory that holds a checkpoint, called by its last component. */
    public static ModelFiles of(Path directory) {
        return new ModelFiles(directory.toAbsolutePath().normalize().getFileName().toString(), directory);
    }

    /** SHA-256 over the configuration and the weights: equal for equal models, wherever they lie. Reads all of them. */
    public String fingerprint() {
        try {
            var digest = Sha256.digest();
            for (var file : hashed()) {
                try (var in = Files.newInputStream(file)) {
                    Sha256.update(digest, in);
                }
            }
            return Sha256.hex(digest);
        } catch (IOException failure) {
            throw new UncheckedIOException(directory + ": cannot be read", failure);
        }
    }

    private List<Path> hashed() {
        var files = new ArrayList<>(List.of(directory.resolve("config.json")));
        files.addAll(Safetensors.files(directory));
        return files;
    }
}
