package org.lmdebugger.interpret;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.lmdebugger.checkpoint.ModelFiles;
import org.lmdebugger.device.Devices;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.Sweep;
import org.lmdebugger.model.Gpt2;

/** Peak memory of processes that do one thing with a checkpoint of GPT-2's size. */
@EnabledOnOs(OS.LINUX)
@Tag("slow")
class ResidentMemoryTest {
    @TempDir
    static Path directory;
    private static long weights;

    @BeforeAll
    static void write() throws IOException {
        weights = Files.size(RandomCheckpoint.GPT2.write(directory, 1).resolve("model.safetensors"));
    }

    /** F32 weights are used where they are mapped: a second copy would show. */
    @Test
    void aTraceTakesLittleMoreThanTheWeights() throws Exception {
        assertThat((double) peak("trace") / weights).as("peak resident memory over weights").isBetween(1.0, 1.3);
    }

    @Test
    void aSweepOfAllNeuronsTakesTwoGigabytesMoreThanTheWeights() throws Exception {
        assertThat(peak("sweep") - weights).as("peak resident memory beyond the weights").isBetween(100_000_000L,
                2_000_000_000L);
    }

    /** The bytes that {@link Measured} had at most while it did {@code job}. */
    private static long peak(String job) throws Exception {
        // the flags of ./lmdebug
        var process = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin/java").toString(),
                "--enable-native-access=ALL-UNNAMED", "--add-modules", "jdk.incubator.vector", "-XX:+UseSerialGC",
                "-Xmn16m",
                "-XX:MaxDirectMemorySize=1t", "-cp", System.getProperty("java.class.path"), Measured.class.getName(),
                directory.toString(), job)
                        .redirectError(ProcessBuilder.Redirect.INHERIT).start();
        var printed = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).isZero();
        System.out.println(job + " with a GPT-2 of " + weights / 1_000_000 + " MB: " + printed.strip());
        return 1024 * Long.parseLong(printed.replaceFirst("(?s).*VmHWM:\\s*(\\d+) kB.*", "$1"));
    }

    /** The process that is measured. */
    static final class Measured {
        public static void main(String[] arguments) throws Exception {
            try (var device = Devices.open("cpu")) {
                long start = System.nanoTime();
                try (var model = Gpt2.load(ModelFiles.of(Path.of(arguments[0])), device)) {
                    System.out.printf("loaded in %d ms, ", (System.nanoTime() - start) / 1_000_000);
                    var debugger = new Debugger(model);
                    var prompt = "Once upon a time there was a little girl named";
                    if (arguments[1].equals("trace")) {
                        debugger.trace(prompt);
                    } else { // its first chunk: the others take no more
                        debugger.sweep(Sweep.of(prompt).allNeurons().off().atLast().measure(Measure.kl()),
                                effects -> false);
                    }
                    System.out.println(Files.readAllLines(Path.of("/proc/self/status")).stream()
                            .filter(l -> l.startsWith("VmHWM")).toList());
                }
            }
        }
    }
}
