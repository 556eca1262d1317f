package org.lmdebugger.model;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Where models are found: a directory, a model that travels on the class path (such as {@code sample}), or a Hugging
 * Face Hub id in the cache that Hugging Face's own tools fill. Nothing is downloaded.
 */
public final class ModelSource {
    private static final String BUNDLED = "org/lmdebugger/models/";
    private static final List<String> BUNDLED_FILES = List.of("config.json", "vocab.json", "merges.txt", "model.safetensors");
    private static final String HUB_ID = "[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?";

    private final Map<String, String> environment;
    private final Path home;

    ModelSource(Map<String, String> environment, Path home) {
        this.environment = environment;
        this.home = home;
    }

    /** The sources of this process: its environment and its user's home. */
    public static ModelSource system() {
        return new ModelSource(System.getenv(), Path.of(System.getProperty("user.home")));
    }

    /** A model by name, from {@link #system()}. @throws InvalidModelException listing where it was searched */
    public static ModelFiles of(String name) {
        return system().find(name);
    }

    /**
     * @param name a directory, the name of a bundled model, or a Hub id such as {@code gpt2} or {@code org/name}
     * @throws InvalidModelException listing where it was searched
     */
    public ModelFiles find(String name) {
        var searched = new ArrayList<String>();
        var directory = Path.of(name);
        if (Files.isDirectory(directory)) {
            if (Files.exists(directory.resolve("config.json"))) {
                return ModelFiles.of(directory);
            }
            searched.add("directory %s: no config.json in it".formatted(directory.toAbsolutePath()));
        } else {
            searched.add("directory %s: not there".formatted(directory.toAbsolutePath()));
        }
        if (name.matches(HUB_ID)) {
            var bundled = bundled(name);
            if (bundled.isPresent()) {
                return bundled.get();
            }
            searched.add("bundled models: sample alone, where the app is on the class path");
            for (var id : name.contains("/") ? List.of(name) : List.of(name, "openai-community/" + name)) {
                var snapshot = snapshot(id, searched);
                if (snapshot.isPresent()) {
                    return new ModelFiles(name, snapshot.get());
                }
            }
        }
        throw new InvalidModelException("model: %s: not found (expected: a directory with config.json, sample, or a Hub id in the "
                .formatted(name) + "Hugging Face cache, where `hf download %s` puts it); searched:%n  ".formatted(name)
                + String.join(System.lineSeparator() + "  ", searched));
    }

    /** The models that {@link #find} finds by name: the bundled one, and every GPT-2 in the Hugging Face cache. */
    public List<ModelFiles> list() {
        var models = new ArrayList<ModelFiles>();
        bundled("sample").ifPresent(models::add);
        if (Files.isDirectory(hub())) {
            try (var folders = Files.list(hub())) {
                folders.map(folder -> folder.getFileName().toString()).filter(folder -> folder.startsWith("models--")).sorted()
                        .map(folder -> folder.substring("models--".length()).replace("--", "/"))
                        .forEach(id -> snapshot(id, new ArrayList<>()).filter(ModelSource::isGpt2)
                                .ifPresent(snapshot -> models.add(new ModelFiles(id, snapshot))));
            } catch (IOException failure) {
                throw new UncheckedIOException(hub() + ": cannot be listed", failure);
            }
        }
        return models;
    }

    private static boolean isGpt2(Path directory) {
        return JsonFiles.read(directory.resolve("config.json")).path("model_type").asText().equals("gpt2");
    }

    /** The Hugging Face cache, by the rules of huggingface_hub. */
    public Path hub() {
        var hub = environment.get("HF_HUB_CACHE");
        if (hub != null) {
            return Path.of(hub);
        }
        var hfHome = environment.get("HF_HOME");
        return (hfHome != null ? Path.of(hfHome) : cache().resolve("huggingface")).resolve("hub");
    }

    private Path cache() {
        var xdg = environment.get("XDG_CACHE_HOME");
        return xdg != null ? Path.of(xdg) : home.resolve(".cache");
    }

    private Optional<Path> snapshot(String id, List<String> searched) {
        var folder = hub().resolve("models--" + id.replace("/", "--"));
        var main = folder.resolve("refs/main");
        try {
            if (!Files.exists(main)) {
                searched.add("Hugging Face cache %s: not there".formatted(folder));
                return Optional.empty();
            }
            var snapshot = folder.resolve("snapshots").resolve(Files.readString(main).strip());
            if (!Files.exists(snapshot.resolve("config.json"))) {
                searched.add("Hugging Face cache %s: no config.json in it".formatted(snapshot));
                return Optional.empty();
            }
            return Optional.of(snapshot);
        } catch (IOException failure) {
            throw new UncheckedIOException(main + ": cannot be read", failure);
        }
    }

    private Optional<ModelFiles> bundled(String name) {
        var resource = ModelSource.class.getClassLoader().getResource(BUNDLED + name + "/config.json");
        if (resource == null) {
            return Optional.empty();
        }
        if (resource.getProtocol().equals("file")) {
            try {
                return Optional.of(new ModelFiles(name, Path.of(resource.toURI()).getParent()));
            } catch (URISyntaxException failure) {
                throw new AssertionError("a class loader's own URL", failure);
            }
        }
        return Optional.of(new ModelFiles(name, extract(name)));
    }

    /** Files in a jar cannot be mapped: copies them, once for each content, and whole or not at all. */
    private Path extract(String name) {
        try {
            var models = Files.createDirectories(cache().resolve("lmdebugger/models"));
            var target = models.resolve(name + "-" + digest(name));
            if (!Files.isDirectory(target)) {
                var temporary = Files.createTempDirectory(models, name + "-");
                for (var file : BUNDLED_FILES) {
                    try (var in = resource(name, file)) {
                        Files.copy(in, temporary.resolve(file));
                    }
                }
                try {
                    Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
                } catch (IOException failure) {
                    delete(temporary);
                    if (!Files.isDirectory(target)) { // else another process was faster, with the same files
                        throw failure;
                    }
                }
            }
            return target;
        } catch (IOException failure) {
            throw new UncheckedIOException("model %s: cannot be copied to %s".formatted(name, cache()), failure);
        }
    }

    private static String digest(String name) throws IOException {
        var digest = Sha256.digest();
        for (var file : BUNDLED_FILES) {
            try (var in = resource(name, file)) {
                Sha256.update(digest, in);
            }
        }
        return Sha256.hex(digest).substring(0, 16);
    }

    private static InputStream resource(String name, String file) {
        return ModelSource.class.getClassLoader().getResourceAsStream(BUNDLED + name + "/" + file);
    }

    private static void delete(Path directory) throws IOException {
        for (var file : BUNDLED_FILES) {
            Files.delete(directory.resolve(file));
        }
        Files.delete(directory);
    }
}
