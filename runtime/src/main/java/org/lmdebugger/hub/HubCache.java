package org.lmdebugger.hub;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.lmdebugger.checkpoint.InvalidModelException;
import org.lmdebugger.checkpoint.JsonFiles;
import org.lmdebugger.checkpoint.ModelFiles;
import org.lmdebugger.checkpoint.Weights;
import org.lmdebugger.text.Shown;

/**
 * The cache that Hugging Face's tools share. Each model has a folder {@code models--org--name/}. In it,
 * {@code snapshots} holds a folder for each commit, whose files are links to {@code blobs}, and {@code refs/main} holds
 * the name of the commit that the branch was at; other branches and tags likewise.
 */
record HubCache(Path root) {
    static final String MAIN = "main";
    private static final String PREFIX = "models--";
    private static final Pattern COMMIT = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]*"); // a folder, never a path

    /** Returns the folder of all files of a model. */
    Path folder(String id) {
        return root.resolve(PREFIX + id.replace("/", "--"));
    }

    Path snapshot(String id, String commit) {
        return snapshots(id).resolve(commit);
    }

    private Path snapshots(String id) {
        return folder(id).resolve("snapshots");
    }

    private Path refs(String id) {
        return folder(id).resolve("refs");
    }

    /**
     * Returns the snapshot of a branch, a tag or a commit, complete or not.
     *
     * @param revision names that never lead out of a folder, with slashes between them
     */
    Optional<Path> find(String id, String revision) {
        var ref = refs(id).resolve(revision);
        if (Files.isRegularFile(ref)) {
            return Optional.of(snapshot(id, commit(ref)));
        }
        return Optional.of(snapshot(id, revision)).filter(Files::isDirectory);
    }

    private static String commit(Path ref) {
        try {
            var commit = Files.readString(ref).strip();
            if (!COMMIT.matcher(commit).matches()) {
                throw new InvalidModelException("%s: %s (expected: the name of a snapshot)"
                        .formatted(ref, Shown.of(commit)));
            }
            return commit;
        } catch (IOException failure) {
            throw new UncheckedIOException(ref + ": cannot be read", failure);
        }
    }

    /** Records the commit of a branch or a tag; a commit's own name needs no record. */
    void remember(String id, String revision, String commit) throws IOException {
        if (!revision.equals(commit)) {
            var ref = refs(id).resolve(revision);
            Files.createDirectories(ref.getParent());
            Files.writeString(ref, commit);
        }
    }

    /** Returns a description of the first file that a directory lacks to be a checkpoint, or nothing. */
    static Optional<String> missing(Path directory) {
        if (!Files.exists(directory.resolve("config.json"))) {
            return Optional.of("no config.json");
        }
        boolean parts = Files.exists(directory.resolve("vocab.json")) && Files.exists(directory.resolve("merges.txt"));
        if (!parts && !Files.exists(directory.resolve("tokenizer.json"))) {
            return Optional.of("neither vocab.json and merges.txt nor tokenizer.json");
        }
        try {
            return Weights.files(directory).stream().filter(file -> !Files.exists(file)).findFirst()
                    .map(file -> "no " + file.getFileName());
        } catch (InvalidModelException none) {
            return Optional.of("no usable weights");
        }
    }

    /**
     * Returns every complete GPT-2 in the cache: {@code org/name} for the commit of {@code main}, and
     * {@code org/name@revision} for others. Damaged ones are left out; loading one reports the damage.
     */
    List<ModelFiles> list() {
        return names(root).filter(name -> name.startsWith(PREFIX))
                .map(name -> name.substring(PREFIX.length()).replaceFirst("--", "/"))
                .flatMap(this::list).toList();
    }

    /** Returns words for a missing revision, which list the cached ones. */
    String instead(String id) {
        var others = list(id).map(ModelFiles::name).toList();
        return "not there" + (others.isEmpty() ? "" : ", but " + String.join(", ", others));
    }

    private Stream<ModelFiles> list(String id) {
        var revisions = revisions(id);
        return names(snapshots(id)).map(commit -> new ModelFiles(name(id, revisions.getOrDefault(commit, commit)),
                snapshot(id, commit))).filter(HubCache::isWhole);
    }

    /** Returns the model's name at a revision, as {@code --model} takes it. */
    static String name(String id, String revision) {
        return revision.equals(MAIN) ? id : id + "@" + revision;
    }

    /** Returns a branch or tag for each commit that has one: {@code main} if possible, else the first by name. */
    private Map<String, String> revisions(String id) {
        var revisions = new HashMap<String, String>();
        try (var refs = Files.isDirectory(refs(id)) ? Files.walk(refs(id)) : Stream.<Path>of()) {
            refs.filter(Files::isRegularFile).map(refs(id)::relativize).map(Path::toString)
                    .sorted(Comparator.comparing((String revision) -> !revision.equals(MAIN))
                            .thenComparing(Comparator.naturalOrder()))
                    .forEach(revision -> revisions.putIfAbsent(commit(refs(id).resolve(revision)), revision));
            return revisions;
        } catch (InvalidModelException damaged) {
            return revisions;
        } catch (IOException failure) {
            throw new UncheckedIOException(refs(id) + ": cannot be listed", failure);
        }
    }

    /** Returns the names of the entries of a folder, sorted; none if the folder does not exist. */
    private static Stream<String> names(Path folder) {
        if (!Files.isDirectory(folder)) {
            return Stream.of();
        }
        try (var files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList().stream();
        } catch (IOException failure) {
            throw new UncheckedIOException(folder + ": cannot be listed", failure);
        }
    }

    private static boolean isWhole(ModelFiles model) {
        try {
            return missing(model.directory()).isEmpty() && isGpt2(model.directory());
        } catch (InvalidModelException damaged) {
            return false;
        }
    }

    private static boolean isGpt2(Path snapshot) {
        return JsonFiles.read(snapshot.resolve("config.json")).path("model_type").asText().equals("gpt2");
    }
}
