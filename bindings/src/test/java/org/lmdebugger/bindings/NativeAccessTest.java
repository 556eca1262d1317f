package org.lmdebugger.bindings;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** A JVM that denies native access: what its user is told. */
class NativeAccessTest {
    private static final String FIX = "native access: denied (expected: java --enable-native-access=ALL-UNNAMED";

    @Test
    void deniedAccessIsSaidWithTheFlagThatGrantsIt() throws Exception {
        var java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        var process = new ProcessBuilder(java, "--illegal-native-access=deny", "--enable-native-access=java.base",
                "-cp", System.getProperty("java.class.path"), Main.class.getName()).redirectErrorStream(true).start();
        var output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(output).isZero();
        assertThat(output).contains("OpenBLAS: " + FIX).contains("CUDA: ").contains("  " + FIX);
    }

    static final class Main {
        public static void main(String[] arguments) {
            try {
                OpenBlas.load();
            } catch (NativeLibraryException failure) {
                System.out.println("OpenBLAS: " + failure.getMessage());
            }
            if (CudaLibraries.load() instanceof CudaLibraries.Unavailable reasons) {
                System.out.println("CUDA: " + reasons.exception("cuda").getMessage());
            }
        }
    }
}
