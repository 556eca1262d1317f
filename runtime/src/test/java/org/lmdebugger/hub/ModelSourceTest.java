package org.lmdebugger.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.jar.JarOutputStream;
import java.util.zip.ZipEntry;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.lmdebugger.checkpoint.InvalidModelException;
import org.lmdebugger.checkpoint.ModelFiles;
import org.lmdebugger.checkpoint.TestFiles;

/** Finding without a download; {@link HubDownloadTest} has the rest. */
class ModelSourceTest {
    private static final ClassLoader NO_BUNDLES = ClassLoader.getPlatformClassLoader();
    private static final String REVISION = "0123456789abcdef";

    @TempDir
    private Path folder;

    private ModelSource source(ClassLoader bundles) {
        var environment = Map.of("XDG_CACHE_HOME", folder.toString(), "HF_HUB_OFFLINE", "1");
        return new ModelSource(environment, DownloadProgress.NONE, bundles);
    }

    private static Path copyOfSample(Path directory) throws IOException {
        Files.createDirectories(directory);
        for (var file : List.of("config.json", "vocab.json", "merges.txt", "model.safetensors")) {
            Files.copy(TestFiles.sample().resolve(file), directory.resolve(file));
        }
        return directory;
    }

    /** A copy of the sample where Hugging Face's tools would have put {@code id}. */
    private Path cached(String id) throws IOException {
        var model = folder.resolve("huggingface/hub/models--" + id.replace("/", "--"));
        TestFiles.write(model.resolve("refs/main"), REVISION);
        return copyOfSample(model.resolve("snapshots").resolve(REVISION));
    }

    @ParameterizedTest
    @CsvSource(nullValues = "-", value = {
            "HF_HUB_CACHE=/a HUGGINGFACE_HUB_CACHE=/b HF_HOME=/c XDG_CACHE_HOME=/d HOME=/e, /a",
            "HUGGINGFACE_HUB_CACHE=/b HF_HOME=/c XDG_CACHE_HOME=/d HOME=/e,                 /b",
            "HF_HOME=/c XDG_CACHE_HOME=/d HOME=/e,                                          /c/hub",
            "XDG_CACHE_HOME=/d HOME=/e,                                                     /d/huggingface/hub",
            "HOME=/e,                                                                       /e/.cache/huggingface/hub",
            "HF_HOME=~/c HOME=/e,                                                           /e/c/hub",
            "HF_HUB_CACHE= HF_HOME=/c,                                                      /c/hub",
            "XDG_CACHE_HOME=~ HOME=/e,                                                      /e/huggingface/hub",
            "HF_HUB_CACHE=$DATA/${USER}/hub DATA=/d USER=me,                                /d/me/hub",
            "HF_HUB_CACHE=/d/$NONE/${NONE},                                                 /d/$NONE/${NONE}",
            "HF_HOME=$DATA DATA=$1 HOME=/e,                                                 $1/hub",
    })
    void looksForTheCacheAsHuggingFaceDoes(String variables, Path expected) {
        var environment = new HashMap<String, String>();
        for (var variable : variables.split(" ")) {
            var parts = variable.split("=", 2);
            environment.put(parts[0], parts[1]);
        }
        assertThat(new ModelSource(environment, DownloadProgress.NONE).hub()).isEqualTo(expected);
    }

    @Test
    void refusesTheHomesOfOthers() {
        var source = new ModelSource(Map.of("HF_HOME", "~other/x"), DownloadProgress.NONE);
        assertThatThrownBy(source::hub).isInstanceOf(IllegalArgumentException.class)
                .hasMessage("HF_HOME: ~other/x (expected: a path that begins with /, ~/ or a variable)");
    }

    @Test
    void takesADirectory() throws IOException {
        var directory = copyOfSample(folder.resolve("mine"));
        var found = source(NO_BUNDLES).find(directory.toString());
        assertThat(found).isEqualTo(new ModelFiles("mine", directory));
        assertThat(found.weights()).containsExactly(directory.resolve("model.safetensors"));
    }

    /** A path never means a Hub id: whoever loads the directory says what it lacks. */
    @Test
    void takesADirectoryThatLacksFiles() throws IOException {
        assertThat(source(NO_BUNDLES).find(folder.toString()).directory()).isEqualTo(folder);
        assertThat(source(NO_BUNDLES).find("src/main").directory()).isEqualTo(Path.of("src/main"));
        assertThatThrownBy(() -> source(NO_BUNDLES).find("src")).isInstanceOf(InvalidModelException.class)
                .hasMessageContaining("directory " + Path.of("src").toAbsolutePath() + ": no config.json");
        var file = Files.createFile(folder.resolve("file")).toString();
        assertThatThrownBy(() -> source(NO_BUNDLES).find(file)).isInstanceOf(InvalidModelException.class)
                .hasMessageContaining("directory " + file + ": a file");
    }

    @ParameterizedTest
    @ValueSource(strings = {"org/name", "gpt2", "a.b-c_d/e.f"})
    void findsAHubIdInTheCache(String id) throws IOException {
        var snapshot = cached(id);
        assertThat(source(NO_BUNDLES).find(id)).isEqualTo(new ModelFiles(id, snapshot));
        assertThat(source(NO_BUNDLES).list()).containsExactly(new ModelFiles(id, snapshot));
    }

    @ParameterizedTest
    @CsvSource({"gpt2, openai-community/gpt2", "openai-community/gpt2-xl, gpt2-xl",
            "distilgpt2, distilbert/distilgpt2"})
    void findsAModelByItsOtherName(String asked, String there) throws IOException {
        assertThat(source(NO_BUNDLES).list()).isEmpty();
        var snapshot = cached(there);
        assertThat(source(NO_BUNDLES).find(asked)).isEqualTo(new ModelFiles(asked, snapshot));
    }

    @Test
    void findsACommitInTheCache() throws IOException {
        var snapshot = cached("org/name");
        TestFiles.write(folder.resolve("huggingface/hub/models--org--name/refs/v1"), "fedcba");
        var other = copyOfSample(snapshot.resolveSibling("fedcba"));
        var third = copyOfSample(snapshot.resolveSibling("abcdef"));
        assertThat(source(NO_BUNDLES).find("org/name@" + REVISION).directory()).isEqualTo(snapshot);
        assertThat(source(NO_BUNDLES).find("org/name@main").directory()).isEqualTo(snapshot);
        assertThat(source(NO_BUNDLES).find("org/name@v1").directory()).isEqualTo(other);
        assertThat(source(NO_BUNDLES).list()).containsExactly(new ModelFiles("org/name", snapshot),
                new ModelFiles("org/name@abcdef", third), new ModelFiles("org/name@v1", other));
    }

    @Test
    void saysWhichOtherRevisionsTheCacheHolds() throws IOException {
        Files.delete(cached("org/name").resolve("../../refs/main"));
        assertThatThrownBy(() -> source(NO_BUNDLES).find("org/name")).isInstanceOf(InvalidModelException.class)
                .hasMessageContaining("models--org--name: not there, but org/name@" + REVISION);
    }

    @Test
    void listsWholeGpt2sAlone() throws IOException {
        cached("org/good");
        TestFiles.write(cached("org/bert").resolve("config.json"), "{\"model_type\": \"bert\"}");
        TestFiles.write(cached("org/damaged").resolve("config.json"), "{");
        Files.delete(cached("org/partial").resolve("model.safetensors"));
        TestFiles.write(cached("org/astray").resolve("../../refs/main"), "../../elsewhere");
        Files.createDirectories(folder.resolve("huggingface/hub/datasets--org--data"));
        assertThat(source(NO_BUNDLES).list().stream().map(ModelFiles::name))
                .containsExactly("org/astray@" + REVISION, "org/good");
        assertThatThrownBy(() -> source(NO_BUNDLES).find("org/partial")).isInstanceOf(InvalidModelException.class)
                .hasMessageContaining("models--org--partial/snapshots/%s: no usable weights", REVISION);
        assertThatThrownBy(() -> source(NO_BUNDLES).find("org/astray")).isInstanceOf(InvalidModelException.class)
                .hasMessageContaining("refs/main: ../../elsewhere (expected: the name of a snapshot)");
    }

    @ParameterizedTest
    @ValueSource(strings = {"../up", "a/../b", "a/b/c", "a--b/c", "/none", ".hidden/x", "a b", "a/", "ü", "a\\b", "-a",
            "", "gpt2@", "@main", "gpt2@../x", "gpt2@a//b", "gpt2@a@b", "gpt2@/main", "gpt2@.hidden"})
    void takesNothingElseForAHubId(String name) {
        assertThatThrownBy(() -> source(NO_BUNDLES).find(name)).isInstanceOf(InvalidModelException.class)
                .hasMessageStartingWith("model: " + name + ": not found")
                .hasMessageContaining("Hugging Face Hub: not a possible id");
    }

    @Test
    void usesABundledModelWhereItLies() throws IOException {
        copyOfSample(folder.resolve("classes/org/lmdebugger/models/sample"));
        try (var loader = new URLClassLoader(new URL[] {folder.resolve("classes/").toUri().toURL()}, NO_BUNDLES)) {
            assertThat(source(loader).find("sample").directory())
                    .isEqualTo(folder.resolve("classes/org/lmdebugger/models/sample"));
            assertThat(source(loader).list()).hasSize(1);
        }
    }

    @Test
    void copiesABundledModelOutOfItsJarOnce() throws IOException {
        var jar = jar("config.json", "vocab.json", "merges.txt", "model.safetensors");
        try (var loader = new URLClassLoader(new URL[] {jar}, NO_BUNDLES)) {
            var found = source(loader).find("sample");
            assertThat(found.name()).isEqualTo("sample");
            assertThat(found.directory()).hasParent(folder.resolve("lmdebugger/models"));
            assertThat(found.directory().resolve("model.safetensors"))
                    .hasSameBinaryContentAs(TestFiles.sample().resolve("model.safetensors"));
            var made = Files.getLastModifiedTime(found.directory());
            assertThat(source(loader).find("sample")).isEqualTo(found);
            assertThat(Files.getLastModifiedTime(found.directory())).isEqualTo(made);
            var part = found.directory().resolveSibling("." + found.directory().getFileName() + ".part");
            Files.move(found.directory(), part); // as if the copying process had been killed
            Files.delete(part.resolve("model.safetensors"));
            assertThat(source(loader).find("sample")).isEqualTo(found);
            assertThat(found.directory()).isDirectoryContaining("glob:**/model.safetensors");
            try (var left = Files.list(folder.resolve("lmdebugger/models")).filter(Files::isDirectory)) {
                assertThat(left).hasSize(1);
            }
        }
    }

    @Test
    void saysWhatABundleLacks() throws IOException {
        try (var loader = new URLClassLoader(new URL[] {jar("config.json", "vocab.json")}, NO_BUNDLES)) {
            assertThatThrownBy(() -> source(loader).find("sample"))
                    .hasMessageContaining("model sample: cannot be copied")
                    .cause().hasMessage("org/lmdebugger/models/sample/merges.txt: not on the class path");
        }
    }

    private URL jar(String... files) throws IOException {
        var jar = folder.resolve("models.jar");
        try (var out = new JarOutputStream(Files.newOutputStream(jar))) {
            for (var file : files) {
                out.putNextEntry(new ZipEntry("org/lmdebugger/models/sample/" + file));
                Files.copy(TestFiles.sample().resolve(file), out);
            }
        }
        return jar.toUri().toURL();
    }
}
