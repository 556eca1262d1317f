package org.lmdebugger.model;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
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

    /** The files that hold the weights. @throws InvalidModelException if there are none */
    public List<Path> weights() {
        return Safetensors.files(directory);
    }

    /** Size of the weights in bytes. @throws InvalidModelException if there are none */
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

    /**
     * SHA-256 over the configuration and the weights, each with its length before it: equal for equal files, wherever
     * they lie. Reads all of them every time: about a second for a gigabyte.
     */
    public String fingerprint() {
        try {
            var digest = Digests.sha256();
            update(digest, directory.resolve("config.json"));
            for (var file : weights()) {
                update(digest, file);
            }
            return Digests.hex(digest);
        } catch (IOException failure) {
            throw unreadable(failure);
        }
    }

    private static void update(MessageDigest digest, Path file) throws IOException {
        digest.update((Files.size(file) + "\n").getBytes(StandardCharsets.US_ASCII));
        Digests.update(digest, Files.newInputStream(file));
    }

    private UncheckedIOException unreadable(IOException failure) {
        return new UncheckedIOException(directory + ": cannot be read", failure);
    }
}
