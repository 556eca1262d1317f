package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The Python client's own tests and its notebook, against a server of the sample model and the API's description. */
@Timeout(600)
class PythonClientTest {
    private static final Path CLIENT = Path.of("../python");

    @Test
    void itsTestsPass(@TempDir Path folder) throws Exception {
        assumePython(folder);
        var options = new ServerOptions("127.0.0.1", 0, Set.of(), null, folder.resolve("data"),
                folder.resolve("cache"));
        try (var server = new TestServer(options)) {
            server.buildTales();
            var description = folder.resolve("openapi.json");
            Files.writeString(description, Description.INSTANCE.document.toString());
            var log = folder.resolve("log");
            var tests = python(log, "-m", "unittest", "discover", "--verbose", "tests");
            tests.environment().put("LMDEBUGGER_URL", server.address().toString());
            tests.environment().put("LMDEBUGGER_OPENAPI", description.toString());
            int status = run(tests);
            assertThat(status).as(Files.readString(log)).isZero();
            assertThat(log).content().contains("test_types_are_those_of_the_answers", "test_the_notebook_runs")
                    .containsPattern("\nOK( \\(skipped=1\\))?\n"); // where there is no pandas
        }
    }

    /** Skips the test, or fails it where tests must not be skipped, if there is no Python. */
    private static void assumePython(Path folder) throws Exception {
        boolean there;
        try {
            there = run(python(folder.resolve("version"), "-c",
                    "import sys; sys.exit(sys.version_info < (3, 9))")) == 0;
        } catch (IOException none) {
            there = false;
        }
        if (!there) {
            assertThat(System.getenv("CI")).as("no python3 (expected with CI=true: 3.9 or newer)").isNotEqualTo("true");
        }
        Assumptions.assumeTrue(there, "The Python client is not tested: install Python 3.9 or newer.");
    }

    private static ProcessBuilder python(Path log, String... arguments) {
        var command = Stream.concat(Stream.of("python3", "-B"), Stream.of(arguments)).toList();
        return new ProcessBuilder(command).directory(CLIENT.toFile()).redirectErrorStream(true)
                .redirectOutput(log.toFile());
    }

    private static int run(ProcessBuilder command) throws IOException, InterruptedException {
        var process = command.start();
        try {
            return process.waitFor();
        } finally {
            process.destroyForcibly();
        }
    }
}
