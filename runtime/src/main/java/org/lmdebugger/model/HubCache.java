package org.lmdebugger.model;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * The cache that Hugging Face's tools share: {@code models--org--name/} with {@code refs/main}, which holds the name
 * of a folder in {@code snapshots}, whose files are links to {@code blobs}.
 */
record HubCache(Path root) {
    private static final String PREFIX = "models--";
    private static final Pattern REVISION = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]*"); // a folder, never a path

    /** Where everything of a model lies. */
    Path folder(String id) {
        return root.resolve(PREFIX + id.replace("/", "--"));
    }

    Path snapshot(String id, String revision) {
        return folder(id).resolve("snapshots").resolve(revision);
    }

    /** The snapshot that {@code refs/main} names, whole or not. */
    Optional<Path> snapshot(String id) {
        var main = folder(id).resolve("refs/main");
        try {
            if (!Files.exists(main)) {
                return Optional.empty();
            }
            var revision = Files.readString(main).strip();
            if (!REVISION.matcher(revision).matches()) {
                throw new InvalidModelException("%s: %s (expected: the name of a snapshot)".formatted(main, revision));
            }
            return Optional.of(snapshot(id, revision));
        } catch (IOException failure) {
            throw new UncheckedIOException(main + ": cannot be read", failure);
        }
    }

    /** What a directory lacks to be a checkpoint, or nothing. */
    static Optional<String> missing(Path directory) {
        if (!Files.exists(directory.resolve("config.json"))) {
            return Optional.of("no config.json");
        }
        boolean parts = Files.exists(directory.resolve("vocab.json")) && Files.exists(directory.resolve("merges.txt"));
        if (!parts && !Files.exists(directory.resolve("tokenizer.json"))) {
            return Optional.of("neither vocab.json and merges.txt nor tokenizer.json");
        }
        try {
            return Safetensors.files(directory).stream().filter(file -> !Files.exists(file)).findFirst()
                    .map(file -> "no " + file.getFileName());
        } catch (InvalidModelException none) {
            return Optional.of("no usable safetensors");
        }
    }

    /** Every whole GPT-2 here, by its id. A damaged one is left out: whoever asks for it is told what is wrong. */
    List<ModelFiles> list() {
        if (!Files.isDirectory(root)) {
            return List.of();
        }
        try (var folders = Files.list(root)) {
            return folders.map(folder -> folder.getFileName().toString())
                    .filter(name -> name.startsWith(PREFIX)).sorted()
                    .map(name -> name.substring(PREFIX.length()).replaceFirst("--", "/"))
                    .flatMap(id -> gpt2(id).stream()).toList();
        } catch (IOException failure) {
            throw new UncheckedIOException(root + ": cannot be listed", failure);
        }
    }

    private Optional<ModelFiles> gpt2(String id) {
        try {
            return snapshot(id).filter(found -> missing(found).isEmpty()).filter(HubCache::isGpt2)
                    .map(found -> new ModelFiles(id, found));
        } catch (InvalidModelException damaged) {
            return Optional.empty();
        }
    }

    private static boolean isGpt2(Path snapshot) {
        return JsonFiles.read(snapshot.resolve("config.json")).path("model_type").asText().equals("gpt2");
    }
}
