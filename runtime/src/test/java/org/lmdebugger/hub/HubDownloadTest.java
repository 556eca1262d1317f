package org.lmdebugger.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.lmdebugger.checkpoint.Digests;
import org.lmdebugger.checkpoint.InvalidModelException;
import org.lmdebugger.checkpoint.ModelFiles;
import org.lmdebugger.checkpoint.TestFiles;

class HubDownloadTest {
    private static final String ID = "org/tiny";
    private static final int SIZE = 300_000;

    private final FakeHub hub = new FakeHub();
    private final Map<String, String> environment = new HashMap<>();
    private final List<String> progress = new ArrayList<>();
    private byte[] weights;

    @TempDir
    private Path folder;

    @BeforeEach
    void offerAModel() throws IOException {
        environment.putAll(Map.of("HF_ENDPOINT", hub.address(), "HF_HUB_CACHE", folder.resolve("hub").toString(),
                "HF_HOME", folder.toString(), "XDG_CACHE_HOME", folder.resolve("xdg").toString()));
        hub.put(ID, TestFiles.sample(), "config.json", "vocab.json", "merges.txt");
        weights = weights(SIZE);
        hub.put(ID, "model.safetensors", weights, true);
    }

    @AfterEach
    void close() {
        hub.close();
    }

    private static byte[] weights(int size) {
        var data = new byte[size];
        new Random(size).nextBytes(data);
        var header = "{\"a\":{\"dtype\":\"U8\",\"shape\":[%d],\"data_offsets\":[0,%d]}}".formatted(size, size);
        return TestFiles.safetensors(header, data);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private ModelSource source() {
        return new ModelSource(environment, (file, done, size) -> progress.add("%s %d/%d".formatted(file, done, size)));
    }

    private Path blobs() {
        return folder.resolve("hub/models--org--tiny/blobs");
    }

    private void assertComplete(ModelFiles found) throws IOException {
        assertThat(found.directory()).isEqualTo(folder.resolve("hub/models--org--tiny/snapshots/" + FakeHub.REVISION));
        assertThat(found.directory().resolve("model.safetensors")).hasBinaryContent(weights);
        assertThat(found.directory().resolve("config.json"))
                .hasSameBinaryContentAs(TestFiles.sample().resolve("config.json"));
        assertThat(folder.resolve("hub/models--org--tiny/refs/main")).hasContent(FakeHub.REVISION);
        try (var files = Files.list(blobs())) {
            assertThat(files.map(file -> file.getFileName().toString()))
                    .allSatisfy(name -> assertThat(name).matches("[0-9a-f]{40}([0-9a-f]{24})?"));
        }
    }

    @Test
    void fillsTheCacheAsHuggingFaceDoes() throws IOException {
        var found = source().find(ID);
        assertComplete(found);
        assertThat(found.name()).isEqualTo(ID);
        var link = found.directory().resolve("model.safetensors");
        assertThat(Files.readSymbolicLink(link)).isEqualTo(Path.of("../../blobs", Digests.sha256(link)));
        assertThat(progress).contains("model.safetensors %d/%d".formatted(weights.length, weights.length));
        assertThat(hub.downloads()).hasSize(5); // four files, one of them by way of the store
    }

    @Test
    void findsItThereTheNextTime() {
        var found = source().find(ID);
        hub.requests.clear();
        environment.put("HF_HUB_OFFLINE", "1");
        assertThat(source().find(ID)).isEqualTo(found);
        assertThat(source().list()).contains(found);
        assertThat(hub.requests).isEmpty();
    }

    @Test
    void goesOnWhereAConnectionBroke() throws IOException {
        hub.cutAfter = 120_000;
        assertComplete(source().find(ID));
        assertThat(hub.downloads().stream().filter(request -> request.contains("store") && request.contains("Range")))
                .hasSizeBetween(2, 10); // how much of a broken body arrives is up to the network
    }

    @Test
    void goesOnWhereAnotherRunBrokeOff() throws IOException {
        Files.createDirectories(blobs());
        var checksum = Digests.sha256(TestFiles.write(folder.resolve("whole"), weights));
        TestFiles.write(blobs().resolve(checksum + ".incomplete"), Arrays.copyOf(weights, 100_000));
        assertComplete(source().find(ID));
        assertThat(hub.downloads()).filteredOn(request -> request.contains("store")).containsExactly(
                "GET store /org/tiny/resolve/%s/model.safetensors {Range=bytes=100000-}".formatted(FakeHub.REVISION));
    }

    @Test
    void startsAgainWhereTheServerKnowsNoRanges() throws IOException {
        hub.ranges = false;
        var checksum = Digests.sha256(TestFiles.write(folder.resolve("whole"), weights));
        TestFiles.write(blobs().resolve(checksum + ".incomplete"), new byte[100_000]);
        assertComplete(source().find(ID));
    }

    @Test
    void givesUpWhereNothingComesAndKeepsWhatCame() throws IOException {
        hub.cutAfter = 0;
        assertThatThrownBy(() -> source().find(ID)).isInstanceOf(UncheckedIOException.class)
                .hasMessageStartingWith("model: org/tiny: cannot be downloaded from " + hub.address()).cause()
                .hasMessageContaining("broken off at 0 of").hasMessageContaining("start again to go on from there");
        assertThat(folder.resolve("hub/models--org--tiny/refs/main")).doesNotExist();
        hub.cutAfter = Integer.MAX_VALUE;
        assertComplete(source().find(ID));
    }

    @ParameterizedTest
    @ValueSource(strings = {"config.json", "model.safetensors"})
    void refusesAWrongChecksum(String file) throws IOException {
        var bytes = file.equals("model.safetensors") ? weights : Files.readAllBytes(TestFiles.sample().resolve(file));
        var wrong = "0".repeat(file.equals("model.safetensors") ? 64 : 40);
        hub.put(ID, file, bytes, file.equals("model.safetensors"), wrong);
        assertThatThrownBy(() -> source().find(ID)).isInstanceOf(UncheckedIOException.class).cause()
                .hasMessageContaining(file + ": checksum ")
                .hasMessageContaining("(expected: " + wrong + "; it is deleted");
        assertThat(blobs().resolve(wrong)).doesNotExist();
        assertThat(blobs().resolve(wrong + ".incomplete")).doesNotExist();
        environment.put("HF_HUB_OFFLINE", "1");
        assertThatThrownBy(() -> source().find(ID)).isInstanceOf(InvalidModelException.class);
    }

    @Test
    void refusesABodyOfAnotherSize() throws IOException {
        var checksum = Digests.sha256(TestFiles.write(folder.resolve("whole"), weights));
        hub.put(ID, "model.safetensors", Arrays.copyOf(weights, weights.length + 5), true, checksum);
        assertThatThrownBy(() -> source().find(ID)).isInstanceOf(UncheckedIOException.class)
                .cause().hasMessageContaining("checksum");
    }

    @Test
    void saysThatThereIsNoSuchModel() {
        assertThatThrownBy(() -> source().find("org/none")).isInstanceOf(InvalidModelException.class)
                .hasMessageStartingWith("model: org/none: not found (expected: a directory with config.json, ")
                .hasMessageContaining("\n  directory " + Path.of("org/none").toAbsolutePath() + ": not there")
                .hasMessageContaining("\n  bundled models: ")
                .hasMessageContaining("\n  Hugging Face cache %s: not there", folder.resolve("hub/models--org--none"))
                .hasMessageContaining("\n  " + hub.address() + "/org/none: not there");
    }

    @Test
    void saysThatATokenIsNeeded() throws IOException {
        hub.token = "secret";
        assertThatThrownBy(() -> source().find(ID)).isInstanceOf(InvalidModelException.class)
                .hasMessageContaining("only for those with a token (HF_TOKEN is not set)");
        environment.put("HF_TOKEN", "wrong");
        assertThatThrownBy(() -> source().find(ID)).isInstanceOf(InvalidModelException.class)
                .hasMessageContaining("(the token of HF_TOKEN is not enough)").hasMessageNotContaining("wrong");
        environment.put("HF_TOKEN", "secret");
        assertComplete(source().find(ID));
    }

    @Test
    void givesTheTokenToTheHubAlone() {
        environment.put("HF_TOKEN", "secret");
        source().find(ID);
        assertThat(hub.requests).isNotEmpty().allSatisfy(request -> assertThat(request.contains("Bearer secret"))
                .isEqualTo(!request.contains(" store ")));
    }

    @ParameterizedTest
    @ValueSource(strings = {"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"})
    void asksNobodyWhenOffline(String variable) {
        environment.put(variable, "1");
        assertThatThrownBy(() -> source().find(ID)).isInstanceOf(InvalidModelException.class)
                .hasMessageContaining("Hugging Face Hub: not asked, as " + variable + " is set");
        assertThat(hub.requests).isEmpty();
    }

    @Test
    void saysThatTheHubCannotBeReached() {
        hub.close();
        assertThatThrownBy(() -> source().find(ID)).isInstanceOf(InvalidModelException.class)
                .hasMessageContaining("\n  " + hub.address() + ": cannot be reached");
    }

    @ParameterizedTest
    @ValueSource(strings = {"huggingface.co", "ftp://localhost/", "http://", "https:///x", "file:///etc"})
    void refusesAnEndpointThatIsNone(String endpoint) {
        environment.put("HF_ENDPOINT", endpoint);
        assertThatThrownBy(() -> source().find(ID)).isInstanceOf(IllegalArgumentException.class)
                .hasMessage("HF_ENDPOINT: %s (expected: an address such as https://huggingface.co)", endpoint);
    }

    @Test
    void goesOnAfterASilence() throws IOException {
        environment.put("HF_HUB_DOWNLOAD_TIMEOUT", "1");
        hub.stalls = 1;
        assertComplete(source().find(ID));
        assertThat(hub.downloads()).filteredOn(request -> request.contains("store")).hasSize(2).last().asString()
                .matches(".*Range=bytes=[1-9]\\d*-.*");
    }

    @Test
    void refusesWhatDoesNotFitOnTheDisk() throws IOException {
        hub.putOfSize(ID, "model.safetensors", 10_000_000_000_000_000L);
        assertThatThrownBy(() -> source().find(ID)).isInstanceOf(UncheckedIOException.class).cause()
                .hasMessageMatching("model.safetensors: 10,000,000,000,000,000 bytes "
                        + "\\(expected: at most the [0-9,]+ that are free in " + blobs() + "\\)");
        assertThat(hub.downloads()).noneMatch(request -> request.contains("safetensors"));
    }

    @Test
    void asksABusyHubAgain() throws IOException {
        hub.busy = 1;
        assertComplete(source().find(ID));
    }

    @Test
    void fetchesTheSideFilesThatThereAre() throws IOException {
        for (var file : List.of("generation_config.json", "added_tokens.json", "tokenizer_config.json")) {
            hub.put(ID, file, bytes("{}"), false);
        }
        var found = source().find(ID);
        assertComplete(found);
        try (var files = Files.list(found.directory())) {
            assertThat(files.map(file -> file.getFileName().toString())).containsExactlyInAnyOrder("config.json",
                    "vocab.json", "merges.txt", "model.safetensors", "generation_config.json", "added_tokens.json",
                    "tokenizer_config.json");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"v1.0", "refs/pr/1", "0123456"})
    void fetchesARevision(String revision) throws IOException {
        var found = source().find(ID + "@" + revision);
        assertThat(found.name()).isEqualTo(ID + "@" + revision);
        assertThat(found.directory().resolve("model.safetensors")).hasBinaryContent(weights);
        assertThat(hub.requests.getFirst())
                .isEqualTo("HEAD /org/tiny/resolve/%s/config.json", revision.replace("/", "%2F"));
        assertThat(hub.requests).filteredOn(request -> !request.contains("config.json"))
                .allSatisfy(request -> assertThat(request).contains("/resolve/" + FakeHub.REVISION + "/"));
        environment.put("HF_HUB_OFFLINE", "1");
        assertThat(source().find(ID + "@" + revision)).isEqualTo(found);
        assertThat(source().find(ID + "@" + FakeHub.REVISION).directory()).isEqualTo(found.directory());
        assertThatThrownBy(() -> source().find(ID)).isInstanceOf(InvalidModelException.class);
    }

    @Test
    void notesNoNameForACommit() {
        var found = source().find(ID + "@" + FakeHub.REVISION);
        assertThat(folder.resolve("hub/models--org--tiny/refs")).doesNotExist();
        assertThat(source().list()).contains(found);
    }

    @Test
    void sendsTheStoredToken() throws IOException {
        hub.token = "secret";
        TestFiles.write(folder.resolve("token"), "secret\n");
        assertComplete(source().find(ID));
        assertThat(hub.requests).filteredOn(request -> request.contains("store"))
                .noneMatch(request -> request.contains("secret"));
    }

    @Test
    void saysWhichTokenIsNotEnough() {
        hub.token = "secret";
        var file = TestFiles.write(folder.resolve("elsewhere"), "wrong");
        environment.put("HF_TOKEN_PATH", "$HF_HOME/elsewhere");
        assertThatThrownBy(() -> source().find(ID)).isInstanceOf(InvalidModelException.class)
                .hasMessageContaining("(the token of " + file + " is not enough)").hasMessageNotContaining("wrong");
    }

    @Test
    void sendsNoTokenWhereThatIsForbidden() throws IOException {
        environment.putAll(Map.of("HF_TOKEN", "secret", "HF_HUB_DISABLE_IMPLICIT_TOKEN", "1"));
        assertComplete(source().find(ID));
        assertThat(hub.requests).noneMatch(request -> request.contains("secret"));
    }

    @Test
    void refusesATokenThatIsNoneWithoutShowingIt() {
        environment.put("HF_TOKEN", "two words");
        assertThatThrownBy(() -> source().find(ID)).isInstanceOf(IllegalArgumentException.class)
                .hasMessage("HF_TOKEN: no token (expected: one word of ASCII letters and digits)");
    }

    @Test
    void asksByAProxyThatWantsAPassword() throws IOException {
        environment.put("HF_ENDPOINT", "http://hub.invalid");
        environment.put("http_proxy", hub.address().replace("//", "//me:p%40ss@"));
        environment.put("NO_PROXY", "example.org, 127.0.0.1"); // of the store
        hub.proxyAuthorization = "Basic " + Base64.getEncoder().encodeToString(bytes("me:p@ss"));
        assertComplete(source().find(ID));
        assertThat(hub.requests).contains("HEAD http://hub.invalid/org/tiny/resolve/main/config.json");
    }

    /** What is sent to the Hub itself goes through a tunnel; its proxy sees the password alone. */
    @Test
    void asksForATunnelWithAPassword() throws Exception {
        environment.put("HF_ENDPOINT", "https://hub.invalid");
        environment.put("HF_TOKEN", "secret");
        try (var listener = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            environment.put("HTTPS_PROXY", "me:pass@127.0.0.1:" + listener.getLocalPort());
            var requests = threads.submit(() -> {
                try (var connection = listener.accept()) {
                    return refuse(connection, "407 No\r\nProxy-Authenticate: Basic realm=\"fake\"")
                            + refuse(connection, "403 No");
                }
            });
            assertThatThrownBy(() -> source().find(ID)).isInstanceOf(InvalidModelException.class)
                    .hasMessageContaining("\n  https://hub.invalid/org/tiny by the proxy http://127.0.0.1:%d: "
                            + "not there, or", listener.getLocalPort());
            assertThat(requests.get()).contains("CONNECT hub.invalid:443").doesNotContain("secret")
                    .contains("Proxy-Authorization: Basic "
                            + Base64.getEncoder().encodeToString(bytes("me:pass")));
        }
    }

    /** Reads a request's head and answers with a status. */
    private static String refuse(Socket connection, String status) throws IOException {
        var head = new StringBuilder();
        while (!head.toString().endsWith("\r\n\r\n")) {
            head.append((char) connection.getInputStream().read());
        }
        connection.getOutputStream().write(bytes("HTTP/1.1 " + status + "\r\nContent-Length: 0\r\n\r\n"));
        return head.toString();
    }

    @Test
    void refusesAnotherArchitectureBeforeItsWeights() throws IOException {
        hub.put(ID, "config.json", bytes("{\"model_type\": \"bert\"}"), false);
        assertThatThrownBy(() -> source().find(ID)).isInstanceOf(InvalidModelException.class)
                .hasMessageContaining("config.json: model_type: \"bert\" (expected: \"gpt2\")");
        assertThat(hub.downloads()).hasSize(1);
    }

    @Test
    void refusesAModelWithoutWeights() {
        hub.remove(ID, "model.safetensors");
        assertThatThrownBy(() -> source().find(ID)).isInstanceOf(InvalidModelException.class)
                .hasMessage("model: org/tiny: no usable weights (expected: all of a GPT-2 with model.safetensors or "
                        + "pytorch_model.bin)");
    }

    @ParameterizedTest
    @CsvSource({"model.safetensors.index.json, safetensors", "pytorch_model.bin.index.json, bin"})
    void fetchesTheFilesOfAnIndex(String index, String ending) throws IOException {
        hub.remove(ID, "model.safetensors");
        hub.put(ID, index, bytes("{\"weight_map\":{\"a\":\"m-1.%s\",\"b\":\"m-2.%s\"}}"
                .formatted(ending, ending)), false);
        hub.put(ID, "m-1." + ending, weights(10), true);
        hub.put(ID, "m-2." + ending, weights(20), true);
        var found = source().find(ID);
        assertThat(found.weights()).hasSize(2).allSatisfy(file -> assertThat(file).exists());
        assertThat(found.byteSize()).isEqualTo(weights(10).length + weights(20).length);
    }

    @Test
    void fetchesPyTorchsFileWhereThereAreNoSafetensors() throws IOException {
        hub.put(ID, "pytorch_model.bin", weights(10), true);
        assertThat(source().find(ID).weights()).singleElement().asString().endsWith("model.safetensors");
        hub.remove(ID, "model.safetensors");
        hub.revision = "b".repeat(40);
        Files.delete(folder.resolve("hub/models--org--tiny/refs/main"));
        assertThat(source().find(ID).weights()).singleElement().asString().endsWith("pytorch_model.bin");
    }

    @Test
    void refusesAnIndexThatLeadsOutOfTheCache() throws IOException {
        hub.remove(ID, "model.safetensors");
        hub.put(ID, "model.safetensors.index.json",
                bytes("{\"weight_map\":{\"a\":\"../../../../evil\"}}"), false);
        assertThatThrownBy(() -> source().find(ID)).isInstanceOf(InvalidModelException.class)
                .hasMessageContaining("../../../../evil\" (expected: the name of a file beside it)");
    }

    @Test
    void refusesAnswersThatLeadOutOfTheCache() throws IOException {
        hub.put(ID, "config.json", new byte[0], false, "../../../../evil");
        assertThatThrownBy(() -> source().find(ID)).isInstanceOf(UncheckedIOException.class).cause()
                .hasMessageContaining("checksum \"../../../../evil\"");
        hub.put(ID, "config.json", new byte[0], false);
        hub.revision = "../../evil";
        assertThatThrownBy(() -> source().find(ID)).isInstanceOf(UncheckedIOException.class).cause()
                .hasMessageContaining("revision \"../../evil\"");
        assertThat(folder.resolve("hub")).doesNotExist();
    }

    @Test
    void followsTheNewNameOfALegacyModel() throws IOException {
        hub.put("openai-community/gpt2", TestFiles.sample(), "config.json", "vocab.json", "merges.txt",
                "model.safetensors");
        hub.legacyName = "gpt2";
        assertThat(source().find("gpt2").directory().resolve("model.safetensors"))
                .hasSameBinaryContentAs(TestFiles.sample().resolve("model.safetensors"));
        environment.put("HF_HUB_OFFLINE", "1");
        assertThat(source().find("openai-community/gpt2").directory()).isEqualTo(source().find("gpt2").directory());
    }

    @Test
    void mendsALinkThatLeadsNowhere() throws IOException {
        var found = source().find(ID);
        Files.delete(found.directory().resolve("model.safetensors").toRealPath());
        assertComplete(source().find(ID));
    }

    @Test
    void fetchesOnceForTwoThreads() throws Exception {
        try (var threads = Executors.newFixedThreadPool(2)) {
            var source = new ModelSource(environment, DownloadProgress.NONE);
            var first = threads.submit(() -> source.find(ID));
            var second = threads.submit(() -> source.find(ID));
            assertThat(first.get()).isEqualTo(second.get());
            assertComplete(first.get());
        }
        assertThat(hub.downloads()).hasSize(5);
    }
}
