package org.lmdebugger.app.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.lmdebugger.app.store.Processes;

/** How the server starts and stops, as a user sees it. */
@Timeout(120)
class ServeCommandTest {
    private static final int TERMINATED = 128 + 15; // by SIGTERM

    private final HttpClient http = HttpClient.newHttpClient();

    private static void assertRefused(String expected, String... arguments) {
        var out = new StringWriter();
        var err = new StringWriter();
        int code = Main.commandLine().setOut(new PrintWriter(out, true)).setErr(new PrintWriter(err, true))
                .execute(arguments);
        assertThat(code).as(err.toString()).isEqualTo(1);
        assertThat(err.toString().lines()).singleElement().asString().startsWith("lmdebug: ").contains(expected,
                "expected: ");
        assertThat(out.toString()).isEmpty();
        assertThat(Thread.getAllStackTraces().keySet()).noneMatch(thread -> thread.getName().equals("inference")); // it ends with its server
    }

    @Test
    void aPortInUse() throws Exception {
        try (var taken = new ServerSocket(0, 1, InetAddress.getByName("127.0.0.1"))) {
            assertRefused("port: %d of 127.0.0.1 cannot be had: Address already in use".formatted(taken.getLocalPort()),
                    "serve", "--port", String.valueOf(taken.getLocalPort()));
        }
    }

    @ParameterizedTest
    @CsvSource({"--host, no.such.host.invalid, host: no.such.host.invalid",
            "--host, 203.0.113.7, of 203.0.113.7 cannot be had: Cannot assign",
            "--token, short, token: 5 characters", "--allow-origin, localhost:3000, origin: localhost:3000",
            "--allow-origin, *, origin: *"})
    void wrongOptions(String option, String value, String expected) {
        assertRefused(expected, "serve", "--port", "0", option, value);
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, 65536})
    void wrongPorts(int port) {
        assertRefused("port: %d (expected: 0 to 65535)".formatted(port), "serve", "--port", String.valueOf(port));
    }

    private static Process serve(Path folder, String... options) throws Exception {
        return Processes.serve(List.of(), folder, options);
    }

    private static String address(BufferedReader lines) throws Exception {
        var line = lines.readLine();
        assertThat(line).startsWith("sample on cpu: http://127.0.0.1:").endsWith("/  (stop with Ctrl-C)");
        return line.replaceFirst(".*(http://\\S+).*", "$1");
    }

    private HttpResponse<String> get(String uri, String... headers) throws Exception {
        var request = HttpRequest.newBuilder(URI.create(uri));
        for (int i = 0; i < headers.length; i += 2) {
            request.header(headers[i], headers[i + 1]);
        }
        return http.send(request.build(), BodyHandlers.ofString());
    }

    @Test
    @Tag("slow")
    void endsOnASignalWithWhatRuns(@TempDir Path folder) throws Exception {
        var process = serve(folder);
        try (var lines = process.inputReader()) {
            var address = address(lines);
            assertThat(get(address + "api/v1/model").statusCode()).isEqualTo(200);
            var sweep = http.send(HttpRequest.newBuilder(URI.create(address + "api/v1/sweeps"))
                    .header("Content-Type", "application/json")
                    .POST(HttpRequest.BodyPublishers.ofString("""
                            {"prompts": ["%s"], "at": "all", "operations": ["set:1", "set:2", "set:3", "set:4"]}"""
                            .formatted("and then ".repeat(60))))
                    .build(),
                    BodyHandlers.ofString()).headers().firstValue("Location").orElseThrow();
            var events = http.send(HttpRequest.newBuilder(URI.create(address).resolve(sweep + "/events")).build(),
                    BodyHandlers.ofLines()).body().iterator();
            assertThat(events.next()).isEqualTo("event: progress");
            process.destroy(); // SIGTERM
            String last = null;
            while (events.hasNext()) {
                last = events.next();
            }
            assertThat(last).isEmpty(); // the end of an event: the stream was not cut
            assertThat(process.waitFor()).isEqualTo(TERMINATED);
            assertThat(Files.readAllLines(folder.resolve("errors")))
                    .noneMatch(line -> line.contains("Exception") || line.contains("\tat "));
        } finally {
            process.destroyForcibly();
        }
    }

    @Test
    @Tag("slow")
    void aLinkToLogIn(@TempDir Path folder) throws Exception {
        var process = serve(folder, "--token", "correct horse battery staple");
        try (var lines = process.inputReader()) {
            var link = lines.readLine().replaceFirst("log in, once, with: ", "");
            var address = address(lines);
            assertThat(get(address).statusCode()).isEqualTo(401);
            assertThat(get(address, "Authorization", "Bearer correct horse battery staple").statusCode())
                    .isEqualTo(200);
            assertThat(get(link).headers().firstValue("Location")).hasValue("/");
            assertThat(lines.readLine()).startsWith("log in, once, with: " + address + "login?key="); // the next one
            process.destroy();
            assertThat(process.waitFor()).isEqualTo(TERMINATED);
        } finally {
            process.destroyForcibly();
        }
    }

    @Test
    @Tag("slow")
    void aTokenFromAFileOrAVariable(@TempDir Path folder) throws Exception {
        var file = Files.writeString(folder.resolve("token"), "correct horse battery staple\n");
        for (var process : List.of(serve(folder, "--token-file", file.toString()),
                Processes.serve(List.of("env", "LMDEBUGGER_TOKEN=correct horse battery staple"), folder))) {
            try (var lines = process.inputReader()) {
                assertThat(lines.readLine()).startsWith("log in, once, with: ");
                var address = address(lines);
                assertThat(get(address).statusCode()).isEqualTo(401);
                assertThat(get(address, "Authorization", "Bearer correct horse battery staple").statusCode())
                        .isEqualTo(200);
            } finally {
                process.destroyForcibly();
            }
        }
        assertRefused("token file: " + folder.resolve("none") + " cannot be read", "serve", "--port", "0",
                "--token-file", folder.resolve("none").toString());
    }

    /** Opens connections that send nothing, as far as the operating system lets it. */
    private static List<SocketChannel> flood(String address, int connections) throws Exception {
        var channels = new ArrayList<SocketChannel>();
        for (int i = 0; i < connections; i++) {
            channels.add(SocketChannel.open());
            channels.getLast().configureBlocking(false);
            channels.getLast().connect(new InetSocketAddress("127.0.0.1", URI.create(address).getPort()));
        }
        return channels;
    }

    private static void close(List<SocketChannel> channels) throws Exception {
        for (var channel : channels) {
            channel.close();
        }
    }

    private static void awaitLine(Path log, String text) throws Exception {
        while (Files.readAllLines(log).stream().noneMatch(line -> line.contains(text))) {
            Thread.sleep(20); // the test's timeout bounds it
        }
    }

    private static void allowFiles(Process process, int most) throws Exception {
        assertThat(new ProcessBuilder("prlimit", "--pid", String.valueOf(process.pid()), "--nofile=" + most + ":200")
                .inheritIO().start().waitFor()).isZero();
    }

    /** Without room for another file, nothing can be accepted and no class be read; it is said, and passes. */
    @Test
    @EnabledOnOs(OS.LINUX)
    @Tag("slow")
    void withFewFileDescriptors(@TempDir Path folder) throws Exception {
        var errors = folder.resolve("errors");
        var process = serve(folder);
        try (var lines = process.inputReader()) {
            var address = address(lines);
            allowFiles(process, 1); // before anything was logged
            var refused = flood(address, 1);
            awaitLine(errors, "Too many open files");
            allowFiles(process, 200);
            assertThat(get(address + "api/v1/model").statusCode()).isEqualTo(200);
            close(refused);
        } finally {
            process.destroyForcibly();
        }
        var limited = Processes.serve(List.of("prlimit", "--nofile=200"), folder);
        try (var lines = limited.inputReader()) {
            var address = address(lines);
            var flood = flood(address, 180);
            awaitLine(errors, "connections are open, which is the limit");
            assertThat(Path.of("/proc", String.valueOf(limited.pid()), "fd").toFile().list()).hasSizeLessThan(180);
            close(flood);
            assertThat(get(address + "api/v1/model").statusCode()).isEqualTo(200);
        } finally {
            limited.destroyForcibly();
        }
    }
}
