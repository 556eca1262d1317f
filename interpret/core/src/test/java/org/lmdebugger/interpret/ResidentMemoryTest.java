package org.lmdebugger.interpret;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.lmdebugger.device.Devices;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.ModelFiles;

/** F32 weights are used where they are mapped: a second copy would show. */
class ResidentMemoryTest {
    @Test
    @EnabledOnOs(OS.LINUX)
    void aTraceTakesLittleMoreThanTheWeights(@TempDir Path directory) throws Exception {
        var weights = Files.size(RandomCheckpoint.GPT2.write(directory, 1).resolve("model.safetensors"));
        // the flags of ./lmdebug
        var process = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin/java").toString(),
                "--enable-native-access=ALL-UNNAMED", "--add-modules", "jdk.incubator.vector", "-XX:+UseSerialGC", "-Xmn16m",
                "-cp", System.getProperty("java.class.path"), Traced.class.getName(), directory.toString())
                .redirectError(ProcessBuilder.Redirect.INHERIT).start();
        var printed = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).isZero();
        System.out.println("a GPT-2 of " + weights / 1_000_000 + " MB: " + printed.strip());
        long kilobytes = Long.parseLong(printed.replaceFirst("(?s).*VmHWM:\\s*(\\d+) kB.*", "$1"));
        assertThat(1024.0 * kilobytes / weights).as("peak resident memory over weights").isBetween(1.0, 1.3);
    }

    /** The process that is measured. */
    static final class Traced {
        public static void main(String[] arguments) throws Exception {
            try (var device = Devices.open("cpu")) {
                long start = System.nanoTime();
                try (var model = Gpt2.load(ModelFiles.of(Path.of(arguments[0])), device)) {
                    System.out.printf("loaded in %d ms, ", (System.nanoTime() - start) / 1_000_000);
                    new Debugger(model).trace("Once upon a time there was a little girl named");
                    System.out.println(Files.readAllLines(Path.of("/proc/self/status")).stream().filter(l -> l.startsWith("VmHWM")).toList());
                }
            }
        }
    }
}
