package org.lmdebugger.hub;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import org.lmdebugger.checkpoint.Digests;
import org.lmdebugger.checkpoint.ModelFiles;
import org.lmdebugger.files.ProcessLock;

/**
 * The models on the class path, in {@code org/lmdebugger/models/NAME/}. Files in a jar cannot be mapped, so they are
 * copied to a cache, once for each content, atomically.
 */
final class BundledModels {
    private static final String ROOT = "org/lmdebugger/models/";
    private static final List<String> NAMES = List.of("sample");
    private static final List<String> FILES = List.of("config.json", "vocab.json", "merges.txt", "model.safetensors");

    private final ClassLoader loader;
    private final Supplier<Path> cache; // not called where models lie in folders

    BundledModels(ClassLoader loader, Supplier<Path> cache) {
        this.loader = loader;
        this.cache = cache;
    }

    /** Returns the models on this class path. */
    List<ModelFiles> list() {
        return NAMES.stream().map(this::find).flatMap(Optional::stream).toList();
    }

    Optional<ModelFiles> find(String name) {
        var config = NAMES.contains(name) ? loader.getResource(ROOT + name + "/config.json") : null;
        if (config == null) {
            return Optional.empty();
        }
        try {
            var directory = config.getProtocol().equals("file") ? Path.of(config.toURI()).getParent() : extract(name);
            return Optional.of(new ModelFiles(name, directory));
        } catch (URISyntaxException failure) {
            throw new AssertionError("a class loader's own URL: " + config, failure);
        } catch (IOException failure) {
            throw new UncheckedIOException("model %s: cannot be copied to %s (is it writable? XDG_CACHE_HOME moves it)"
                    .formatted(name, cache.get()), failure);
        }
    }

    private Path extract(String name) throws IOException {
        var cache = this.cache.get();
        var target = cache.resolve(name + "-" + digest(name));
        if (!Files.isDirectory(target)) {
            try (var _ = ProcessLock.take(cache.resolve(".lock"), () -> {})) { // so that each content is copied once
                if (!Files.isDirectory(target)) {
                    var part = cache.resolve("." + target.getFileName() + ".part");
                    delete(part); // left by a process that was killed
                    copy(name, part);
                    Files.move(part, target, StandardCopyOption.ATOMIC_MOVE);
                }
            }
        }
        return target;
    }

    private void copy(String name, Path to) throws IOException {
        Files.createDirectory(to);
        try {
            for (var file : FILES) {
                try (var in = open(name, file)) {
                    Files.copy(in, to.resolve(file));
                }
            }
        } catch (IOException failure) {
            delete(to);
            throw failure;
        }
    }

    private String digest(String name) throws IOException {
        var digest = Digests.sha256();
        for (var file : FILES) {
            Digests.update(digest, open(name, file));
        }
        return Digests.hex(digest).substring(0, 16);
    }

    private InputStream open(String name, String file) throws IOException {
        var in = loader.getResourceAsStream(ROOT + name + "/" + file);
        if (in == null) {
            throw new IOException(ROOT + name + "/" + file + ": not on the class path");
        }
        return in;
    }

    private static void delete(Path directory) throws IOException {
        for (var file : FILES) {
            Files.deleteIfExists(directory.resolve(file));
        }
        Files.deleteIfExists(directory);
    }
}
