package org.lmdebugger.hub;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.net.UnknownHostException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.lmdebugger.checkpoint.InvalidModelException;
import org.lmdebugger.checkpoint.ModelFiles;
import org.lmdebugger.hub.HubClient.Refused;
import org.lmdebugger.text.Shown;

/**
 * The places where models are found, in this order: a directory; a bundled model on the class path, such as
 * {@code sample}; a Hugging Face Hub id, in the cache of Hugging Face's own tools, else downloaded into it. After the
 * id, {@code @} and a branch, a tag or a commit may name another revision than {@code main}.
 *
 * <p>The environment variables mean the same as for those tools: {@code HF_HUB_CACHE}, {@code HF_HOME}, {@code
 * XDG_CACHE_HOME} (the cache; {@code ~} and variables are replaced), {@code HF_ENDPOINT} (another server), {@code
 * HF_TOKEN} or the stored token (for models that need one), {@code HTTPS_PROXY}, {@code HTTP_PROXY}, {@code ALL_PROXY},
 * {@code NO_PROXY}, {@code HF_HUB_DOWNLOAD_TIMEOUT} (timeout in seconds), {@code HF_HUB_OFFLINE=1} (no download). Any
 * thread may use a source.
 */
public final class ModelSource {
    /** An id, optionally with a branch, a tag or a commit; their parts are folder names without path traversal. */
    private static final Pattern HUB_NAME = Pattern.compile("(?!.*\\.\\.)(?<id>(?![^@]*--)\\w[\\w.-]*(/\\w[\\w.-]*)?)"
            + "(@(?<revision>\\w[\\w.+-]*(/\\w[\\w.+-]*)*))?");
    /** Names from the time before models on the Hub had owners, with today's names. */
    private static final Map<String, String> LEGACY = Map.of("distilgpt2", "distilbert/distilgpt2",
            "gpt2", "openai-community/gpt2", "gpt2-medium", "openai-community/gpt2-medium",
            "gpt2-large", "openai-community/gpt2-large", "gpt2-xl", "openai-community/gpt2-xl");

    private final HubEnvironment environment;
    private final DownloadProgress progress;
    private final BundledModels bundled;

    /**
     * @param environment variables, by name
     * @param progress    a listener for downloads
     */
    public ModelSource(Map<String, String> environment, DownloadProgress progress) {
        this(environment, progress, ModelSource.class.getClassLoader());
    }

    ModelSource(Map<String, String> environment, DownloadProgress progress, ClassLoader bundles) {
        this.environment = new HubEnvironment(environment);
        this.progress = progress;
        bundled = new BundledModels(bundles, () -> this.environment.caches().resolve("lmdebugger/models"));
    }

    /** Returns the source of this process's environment, without reports of downloads. */
    public static ModelSource system() {
        return new ModelSource(System.getenv(), DownloadProgress.NONE);
    }

    /**
     * Returns a model by name, from {@link #system()}.
     *
     * @throws InvalidModelException as {@link #find} does
     */
    public static ModelFiles of(String name) {
        return system().find(name);
    }

    /** Returns the models that {@link #find} finds without a download, under names that it accepts. */
    public List<ModelFiles> list() {
        return Stream.concat(bundled.list().stream(), cache().list().stream()).toList();
    }

    /** Returns the folder of the Hugging Face cache, by the rules of huggingface_hub. It need not exist. */
    public Path hub() {
        return environment.models();
    }

    private HubCache cache() {
        return new HubCache(hub());
    }

    /**
     * Returns the files of a model. Those of a directory are not checked before they are loaded.
     *
     * @param name a directory, the name of a bundled model, or a Hub id such as {@code gpt2}, {@code org/name@commit}
     * @throws InvalidModelException    if it is not found (the message lists the places searched), or the Hub's is no
     *     GPT-2
     * @throws IllegalArgumentException if a variable of the environment cannot be used
     * @throws UncheckedIOException     if a download fails; another call resumes it
     */
    public ModelFiles find(String name) {
        var searched = new ArrayList<String>();
        return directory(name, searched).or(() -> bundled(name, searched)).or(() -> hub(name, searched))
                .orElseThrow(() -> new InvalidModelException(
                        """
                                model: %s: not found (expected: a directory with config.json, sample, or a Hub id such as gpt2); \
                                searched:
                                  %s"""
                                .formatted(Shown.of(name), String.join("\n  ", searched))));
    }

    /**
     * Returns the directory that a name means: a path to a directory, or a mere name if that directory holds a model.
     */
    private Optional<ModelFiles> directory(String name, List<String> searched) {
        var directory = Path.of(name);
        if (Files.isDirectory(directory) && (name.contains("/") || Files.exists(directory.resolve("config.json")))) {
            return Optional.of(ModelFiles.of(directory));
        }
        searched.add("directory %s: %s".formatted(directory.toAbsolutePath(),
                Files.isDirectory(directory) ? "no config.json" : Files.exists(directory) ? "a file" : "not there"));
        return Optional.empty();
    }

    private Optional<ModelFiles> bundled(String name, List<String> searched) {
        var found = bundled.find(name);
        searched.add("bundled models: "
                + (bundled.list().isEmpty() ? "none on the class path (org.lmdebugger:lmdebugger-sample is one)"
                        : String.join(", ", bundled.list().stream().map(ModelFiles::name).toList())));
        return found;
    }

    private Optional<ModelFiles> hub(String name, List<String> searched) {
        var parts = HUB_NAME.matcher(name);
        if (!parts.matches()) {
            searched.add("Hugging Face Hub: not a possible id");
            return Optional.empty();
        }
        var revision = Optional.ofNullable(parts.group("revision")).orElse(HubCache.MAIN);
        var cache = cache();
        for (var id : ids(parts.group("id"))) {
            var snapshot = cache.find(id, revision);
            var missing = snapshot.isEmpty() ? Optional.of(cache.instead(id)) : HubCache.missing(snapshot.get());
            if (missing.isEmpty()) {
                return Optional.of(new ModelFiles(name, snapshot.get()));
            }
            searched.add("Hugging Face cache %s: %s".formatted(snapshot.orElse(cache.folder(id)), missing.get()));
        }
        var offline = environment.offline();
        if (offline.isPresent()) {
            searched.add("Hugging Face Hub: not asked, as %s is set".formatted(offline.get()));
            return Optional.empty();
        }
        return download(name, parts.group("id"), revision, searched);
    }

    private static List<String> ids(String name) {
        var both = LEGACY.entrySet().stream().map(entry -> List.of(entry.getKey(), entry.getValue()))
                .filter(names -> names.contains(name)).flatMap(List::stream);
        return Stream.concat(Stream.of(name), both).distinct().toList();
    }

    private Optional<ModelFiles> download(String name, String id, String revision, List<String> searched) {
        var cache = cache();
        try (var client = new HubClient(environment)) {
            try {
                var snapshot = new HubDownload(client, cache, progress).model(id, revision);
                return Optional.of(new ModelFiles(name, snapshot));
            } catch (Refused refused) {
                if (refused.status() != 404 && refused.status() != 401 && refused.status() != 403) {
                    throw new UncheckedIOException("model: %s: the Hub does not give it".formatted(name), refused);
                }
                searched.add("%s/%s%s: %s".formatted(environment.endpoint(), name, client.detour(),
                        refused.status() == 404 ? "not there"
                                : "not there, or only for those with a token (%s)".formatted(environment.token()
                                        .map(token -> token + " is not enough").orElse("HF_TOKEN is not set"))));
                return Optional.empty();
            } catch (SocketException | SocketTimeoutException | UnknownHostException unreachable) {
                searched.add("%s%s: cannot be reached (is there a network? HF_ENDPOINT names another server)"
                        .formatted(environment.endpoint(), client.detour()));
                return Optional.empty();
            } catch (IOException failure) {
                throw new UncheckedIOException("model: %s: cannot be downloaded from %s%s to %s"
                        .formatted(name, environment.endpoint(), client.detour(), cache.root()), failure);
            }
        }
    }
}
