package org.lmdebugger.model;

import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
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
            var digest = MessageDigest.getInstance("SHA-256");
            for (var file : hashed()) {
                try (var in = new DigestInputStream(Files.newInputStream(file), digest)) {
                    in.transferTo(OutputStream.nullOutputStream());
                }
            }
            return HexFormat.of().formatHex(digest.digest());
        } catch (IOException failure) {
            throw new UncheckedIOException(directory + ": cannot be read", failure);
        } catch (NoSuchAlgorithmException failure) {
            throw new AssertionError("every JDK has SHA-256", failure);
        }
    }

    private List<Path> hashed() {
        var files = new ArrayList<>(List.of(directory.resolve("config.json")));
        var single = directory.resolve("model.safetensors");
        if (Files.exists(single)) {
            files.add(single);
        } else {
            files.addAll(Safetensors.shards(directory.resolve("model.safetensors.index.json")));
        }
        return files;
    }
}
