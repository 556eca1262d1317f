package org.lmdebugger.app.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.lmdebugger.interpret.edit.Neuron;

class NamesTest {
    private static final String MODEL = "a".repeat(64);
    private static final Neuron VECTOR = new Neuron(3, 42);

    @TempDir
    private Path folder;

    private Names names() {
        return new Names(folder, () -> MODEL);
    }

    private Path file() {
        return folder.resolve("names").resolve(MODEL + ".json");
    }

    @Test
    void areKept() {
        assertThat(names().all()).isEmpty();
        assertThat(names().put(VECTOR, "  royalty ")).isEqualTo("royalty");
        names().put(new Neuron(0, 7), "Könige 👑 \u200f");
        assertThat(names().of(VECTOR)).contains("royalty");
        assertThat(names().all()).containsExactly(Map.entry(new Neuron(0, 7), "Könige 👑 \u200f"),
                Map.entry(VECTOR, "royalty"));
        names().put(VECTOR, "queens");
        assertThat(names().of(VECTOR)).contains("queens");
        names().remove(VECTOR);
        names().remove(new Neuron(1, 1));
        assertThat(names().all()).hasSize(1);
        assertThat(new Names(folder, () -> "b".repeat(64)).all()).as("another model's").isEmpty();
    }

    /** Reading all weights takes seconds. */
    @Test
    void nobodyAsksWhichModelItIsWithoutNeed() {
        assertThat(new Names(folder, () -> {
            throw new AssertionError("asked");
        }).all()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "  ", "a\nb", "a\u0000", "\u0085x\u0085y", "a\u2028b", "\ud83d"})
    void whatIsNoName(String name) {
        assertThatThrownBy(() -> names().put(VECTOR, name)).isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("name: ");
        assertThat(names().all()).isEmpty();
    }

    @Test
    void aNamesLength() {
        names().put(VECTOR, "👑".repeat(100));
        assertThatThrownBy(() -> names().put(VECTOR, "x".repeat(101)))
                .hasMessage("name: 101 characters (expected: 1 to 100)");
        assertThat(names().of(VECTOR)).contains("👑".repeat(100));
    }

    /** A user's work is not overwritten because it cannot be read. */
    @ParameterizedTest
    @ValueSource(strings = {"", "{", "[]", "{\"version\": 2, \"names\": {}}", "{\"version\": 1}",
            "{\"version\": 1, \"names\": {\"here\": \"x\"}}"})
    void aFileOfSomethingElseIsLeftAlone(String content) throws IOException {
        Files.createDirectories(file().getParent());
        Files.writeString(file(), content);
        assertThatThrownBy(() -> names().all()).isInstanceOf(UncheckedIOException.class)
                .hasMessageContaining("not a file of names");
        assertThatThrownBy(() -> names().put(VECTOR, "x")).isInstanceOf(UncheckedIOException.class)
                .hasMessageContaining("move it away");
        assertThat(file()).hasContent(content);
    }

    /** Names neurons 0 to 49 of a layer, and goes round until it is stopped if it is told to. */
    static final class Writer {
        public static void main(String[] arguments) {
            do {
                write(new Names(Path.of(arguments[0]), () -> MODEL), Integer.parseInt(arguments[1]));
            } while (arguments.length > 2);
        }

        static void write(Names names, int layer) {
            for (int i = 0; i < 50; i++) {
                names.put(new Neuron(layer, i), "name " + i);
            }
        }
    }

    @Test
    void nothingIsLostBetweenThreadsAndProcesses() throws Exception {
        var processes = new ArrayList<Process>();
        for (int p = 0; p < 3; p++) {
            processes.add(
                    Processes.start(folder.resolve("log" + p), Writer.class, folder.toString(), String.valueOf(p)));
        }
        try (var threads = Executors.newFixedThreadPool(4)) {
            var written = new ArrayList<Future<?>>();
            for (int t = 0; t < 4; t++) {
                int layer = 10 + t;
                written.add(threads.submit(() -> Writer.write(names(), layer)));
            }
            for (var each : written) {
                each.get();
            }
        }
        for (int p = 0; p < 3; p++) {
            assertThat(processes.get(p).waitFor()).as(Files.readString(folder.resolve("log" + p))).isZero();
        }
        assertThat(names().all()).hasSize(7 * 50);
    }

    @Test
    @Tag("slow")
    void aWriterThatIsKilledLeavesAWholeFile() throws Exception {
        names().put(new Neuron(99, 0), "mine");
        for (int kill = 0; kill < 4; kill++) {
            var process = Processes.start(folder.resolve("log"), Writer.class, folder.toString(), String.valueOf(kill),
                    "again");
            while (process.isAlive() && !names().all().containsKey(new Neuron(kill, 5))) {
                Thread.sleep(1);
            }
            Thread.sleep(kill * 3);
            assertThat(process.isAlive()).as(Files.readString(folder.resolve("log"))).isTrue();
            process.destroyForcibly().waitFor();
            names().put(new Neuron(99, 1 + kill), "and mine");
            assertThat(names().all()).containsEntry(new Neuron(99, 0), "mine").containsKeys(new Neuron(kill, 0),
                    new Neuron(99, 1 + kill));
        }
    }
}
