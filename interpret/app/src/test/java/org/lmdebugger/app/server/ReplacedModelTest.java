package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.lmdebugger.checkpoint.ModelFiles;
import org.lmdebugger.hub.ModelSource;
import org.lmdebugger.model.Gpt2;

/** A server under which the file of its weights is replaced. */
class ReplacedModelTest {
    @TempDir
    private Path folder;

    @Test
    void cachesNamesAndAnswersAreOfTheModelThatWasLoaded() throws Exception {
        var directory = Files.createDirectory(folder.resolve("model"));
        for (var name : new String[] {"config.json", "vocab.json", "merges.txt", "model.safetensors"}) {
            Files.copy(ModelSource.of("sample").directory().resolve(name), directory.resolve(name));
        }
        var options = new ServerOptions("127.0.0.1", 0, Set.of(), null, folder.resolve("data"),
                folder.resolve("cache"));
        try (var server = new TestServer(options, ModelFiles.of(directory))) {
            replace(directory.resolve("model.safetensors"));
            var fingerprint = TestServer.json(server.get("/api/v1/model")).path("fingerprint").textValue();
            try (var other = Gpt2.load(ModelFiles.of(directory), server.device)) {
                assertThat(fingerprint).isEqualTo(server.debugger.model().fingerprint())
                        .isNotEqualTo(other.fingerprint());
            }
            while (server.get("/api/v1/search?words=king").statusCode() == 202) {
                Thread.sleep(50);
            }
            assertThat(server.send("PUT", "/api/v1/names/L2D253", "{\"name\": \"kings\"}").statusCode()).isEqualTo(200);
            assertThat(folder.resolve("cache/values")).isDirectoryContaining("glob:**/" + fingerprint)
                    .satisfies(values -> assertThat(values.toFile().list()).hasSize(1));
            assertThat(folder.resolve("data/names").toFile().list()).contains(fingerprint + ".json");
        }
    }

    private void replace(Path file) throws IOException {
        var bytes = Files.readAllBytes(file);
        bytes[bytes.length - 1] ^= 1;
        Files.move(Files.write(folder.resolve("new"), bytes), file, StandardCopyOption.REPLACE_EXISTING);
    }
}
