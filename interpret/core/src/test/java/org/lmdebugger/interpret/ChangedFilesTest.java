package org.lmdebugger.interpret;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.lmdebugger.checkpoint.InvalidModelException;
import org.lmdebugger.checkpoint.ModelFiles;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.Devices;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.LoadOptions;

/** Models whose files change after they were loaded. */
class ChangedFilesTest {
    private static final RandomCheckpoint SMALL = new RandomCheckpoint(1, 2, 16, 16, 8192);
    private static final String PROMPT = "Once upon a time";
    @AutoClose
    private static final Device device = Devices.open("cpu");

    @TempDir
    private Path folder;

    private final List<String> warnings = new CopyOnWriteArrayList<>();
    private Path directory;
    private Path file;
    private Path other;

    @BeforeEach
    void write() throws IOException {
        directory = SMALL.write(Files.createDirectory(folder.resolve("model")), 1);
        file = directory.resolve("model.safetensors");
        other = SMALL.write(Files.createDirectory(folder.resolve("other")), 2).resolve("model.safetensors");
    }

    private Gpt2 load(boolean copyWeights) {
        return Gpt2.load(ModelFiles.of(directory), device, new LoadOptions(copyWeights, warnings::add));
    }

    private static float[] predict(Gpt2 model) {
        try (var run = new Debugger(model).run(PROMPT); var logits = run.logits()) {
            return logits.toFloats();
        }
    }

    /** SHA-256 over the configuration and the weights, each with its length before it. */
    private static String fingerprint(Path directory) throws Exception {
        var digest = MessageDigest.getInstance("SHA-256");
        for (var name : List.of("config.json", "model.safetensors")) {
            var bytes = Files.readAllBytes(directory.resolve(name));
            digest.update((bytes.length + "\n").getBytes());
            digest.update(bytes);
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    private void overwrite() throws IOException {
        try (var channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.wrap(Files.readAllBytes(other)));
        }
        Files.setLastModifiedTime(file, FileTime.fromMillis(1));
    }

    @Test
    void aFingerprintTellsModelsApartByTheirContents() throws Exception {
        var before = fingerprint(directory);
        try (var mapped = load(false); var copied = load(true)) {
            assertThat(mapped.fingerprint()).isEqualTo(before).isEqualTo(copied.fingerprint());
        }
        overwrite();
        try (var changed = load(false)) {
            assertThat(changed.fingerprint()).isEqualTo(fingerprint(directory)).isNotEqualTo(before);
        }
    }

    @Test
    void aReplacedFileIsSaidOnceAndTheModelStaysWhatItWas() throws Exception {
        try (var model = load(false)) {
            var expected = predict(model);
            var fingerprint = fingerprint(directory);
            Files.move(other, file, StandardCopyOption.REPLACE_EXISTING);
            assertThat(model.fingerprint()).isEqualTo(fingerprint).isNotEqualTo(fingerprint(directory));
            assertThat(predict(model)).isEqualTo(expected);
            assertThat(predict(model)).isEqualTo(expected);
            assertThat(warnings)
                    .containsExactly(file + ": replaced since it was loaded; this process goes on with what it loaded");
            Files.delete(file);
            assertThat(predict(model)).isEqualTo(expected);
            assertThat(warnings).hasSize(2).last().asString().contains(": removed");
        }
    }

    @Test
    void mappedWeightsThatWereWrittenOverAreRefused() throws Exception {
        try (var model = load(false)) {
            overwrite();
            assertThatThrownBy(() -> predict(model)).isInstanceOf(InvalidModelException.class)
                    .hasMessage(file + ": written over since it was loaded "
                            + "(expected: no change; load the model again)");
            assertThatThrownBy(model::fingerprint).hasMessageContaining("written over since it was loaded");
        }
    }

    /** Touching what a mapping has lost would end the process. */
    @Test
    void mappedWeightsThatWereCutOffAreRefused() throws Exception {
        try (var model = load(false); var channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            channel.truncate(1000);
            assertThatThrownBy(() -> predict(model)).isInstanceOf(InvalidModelException.class)
                    .hasMessageContaining("written over");
            assertThatThrownBy(model::fingerprint).hasMessageContaining("written over");
        }
    }

    @Test
    void copiedWeightsStayWhatTheyWere() throws Exception {
        try (var model = load(true); var channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            var expected = predict(model);
            var fingerprint = fingerprint(directory);
            channel.truncate(1000);
            assertThat(predict(model)).isEqualTo(expected);
            assertThat(model.fingerprint()).isEqualTo(fingerprint);
            assertThat(warnings).hasSize(1).first().asString().contains(": written over since it was loaded");
        }
    }

    /** The sample's F16 weights are widened while loading, so that only the fingerprint reads the file later. */
    @Test
    void widenedWeightsStayWhatTheyWere() throws Exception {
        for (var name : List.of("config.json", "model.safetensors")) {
            Files.copy(TestModels.files("sample").directory().resolve(name), directory.resolve(name),
                    StandardCopyOption.REPLACE_EXISTING);
        }
        try (var model = load(false)) {
            var expected = predict(model);
            overwrite();
            assertThat(predict(model)).isEqualTo(expected);
            assertThat(warnings).hasSize(1);
            assertThatThrownBy(model::fingerprint).isInstanceOf(InvalidModelException.class)
                    .hasMessageContaining("written over");
        }
    }

    @Test
    void aClosedModelIsRefused() {
        var model = load(false);
        model.close();
        assertThatThrownBy(() -> predict(model)).isInstanceOf(IllegalStateException.class)
                .hasMessage("model model: closed");
    }
}
