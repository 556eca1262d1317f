package org.lmdebugger.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.stream.IntStream;

/**
 * How a server does under many requests, measured from outside, over HTTP: whether it slows down or grows, and what many
 * clients at once get and wait for. Every answer is compared with what the same request got alone.
 */
final class Serve {
    private static final String PROMPT = "Once upon a time there was a little";
    private static final int WARM_UP = 400;
    private static final int WINDOW = 100;

    private final HttpClient http = HttpClient.newHttpClient();
    private final URI address;
    private final long process;

    private record Request(String method, String path, String body) {
        static Request post(String path, String fields) {
            return new Request("POST", path, "{\"prompt\": \"%s\", %s}".formatted(PROMPT, fields));
        }

        /** One of ten kinds; each {@code client} has interventions of its own. */
        static Request of(int kind, int client) {
            int layer = client % 4;
            int neuron = 23 * client % 768;
            return switch (kind % 10) {
                case 0, 5 -> post("/api/v1/trace",
                        "\"edits\": [\"L%dD%d=%d\"], \"tokens\": [\" boy\"]".formatted(layer, neuron, 3 + client));
                case 1, 6 -> post("/get_data",
                        "\"interventions\": [{\"layer\": %d, \"dim\": %d, \"coeff\": 1.0}]".formatted(layer, neuron));
                case 2 ->
                        post("/api/v1/generate", "\"tokens\": 5, \"continuations\": [{}, {\"edits\": [\"L%dD%d=%d\"]}]"
                                .formatted(layer, neuron, 3 + client));
                case 3 -> new Request("GET", "/get_projections/layer/%d/dim/%d".formatted(layer, neuron), null);
                case 4 -> post("/api/v1/trace", "\"edits\": [\"L%dD%d*=%d@last\"], \"positions\": \"all\", \"top\": 3"
                        .formatted(layer, neuron, 2 + client));
                case 7 -> new Request("POST", "/api/v1/tokenize", "{\"text\": \"%s %d\"}".formatted(PROMPT, client));
                case 8 -> post("/api/v1/trace",
                        "\"total\": true, \"top\": 5, \"edits\": [\"L%dD%d=0\"]".formatted(layer, neuron));
                default -> post("/generate",
                        "\"generate_k\": 5, \"interventions\": [{\"layer\": %d, \"dim\": %d, \"coeff\": 0.0}]"
                                .formatted(layer, neuron));
            };
        }
    }

    private Serve(URI address, long process) {
        this.address = address;
        this.process = process;
    }

    /** @param arguments options, as {@code bench/serve} lists them */
    public static void main(String[] arguments) throws Exception {
        var options = List.of(arguments);
        var command = List.of("./lmdebug", "serve", "--port", "0", "--model", option(options, "--model", "sample"),
                "--data", Files.createTempDirectory("lmdebugger-bench").toString());
        long start = System.nanoTime();
        var server = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        try (var lines = server.inputReader()) {
            var line = lines.readLine();
            double seconds = (System.nanoTime() - start) / 1e9;
            if (line == null) {
                throw new IOException("the server did not start (see above)");
            }
            var address = URI.create(line.replaceFirst(".*(http://\\S+).*", "$1"));
            var report = "# %s, %s, %d processors%n%n%s. The address was printed after %.1f s.%n%n%s".formatted(
                    line.replaceFirst(":.*", ""), processor(),
                    Runtime.getRuntime().availableProcessors(), LocalDate.now() + ", commit " + commit(), seconds,
                    options.contains("--page")
                            ? Page.measure(address, Integer.parseInt(option(options, "--rounds", "20")))
                            : new Serve(address, server.pid()).measure(options));
            System.out.print(report);
            if (options.contains("--out")) {
                Files.writeString(Path.of(option(options, "--out", null)), report, StandardOpenOption.CREATE,
                        StandardOpenOption.TRUNCATE_EXISTING);
            }
        } finally {
            server.destroy();
        }
    }

    private String measure(List<String> options) throws Exception {
        return oneAfterAnother(Integer.parseInt(option(options, "--requests", "1000"))) + System.lineSeparator()
                + together(Integer.parseInt(option(options, "--clients", "32")),
                        Integer.parseInt(option(options, "--seconds", "60")));
    }

    private static String option(List<String> options, String name, String otherwise) {
        int at = options.indexOf(name);
        return at < 0 ? otherwise : options.get(at + 1);
    }

    private static String processor() throws IOException {
        try (var lines = Files.lines(Path.of("/proc/cpuinfo"))) {
            return lines.filter(line -> line.startsWith("model name")).findFirst()
                    .map(line -> line.replaceFirst(".*: ", "")).orElse("?");
        }
    }

    private static String commit() throws IOException {
        try (BufferedReader out = new ProcessBuilder("git", "describe", "--always", "--dirty").start().inputReader()) {
            return out.readLine();
        }
    }

    private String answer(Request request) throws IOException, InterruptedException {
        var builder = HttpRequest.newBuilder(address.resolve(request.path())).method(request.method(),
                request.body() == null ? BodyPublishers.noBody() : BodyPublishers.ofString(request.body()));
        var answer = http.send(builder.setHeader("Content-Type", "application/json").build(), BodyHandlers.ofString());
        if (answer.statusCode() != 200) {
            throw new IOException(
                    "%s %s: %d %s".formatted(request, request.body(), answer.statusCode(), answer.body()));
        }
        return answer.body();
    }

    private long residentKilobytes() throws IOException {
        try (var lines = Files.lines(Path.of("/proc/" + process + "/status"))) {
            return Long.parseLong(
                    lines.filter(line -> line.startsWith("VmRSS")).findFirst().orElseThrow().replaceAll("\\D", ""));
        }
    }

    /** A warm server, and then: are the last requests slower than the first, and is it larger? */
    private String oneAfterAnother(int requests) throws IOException, InterruptedException {
        for (int i = 0; i < WARM_UP; i++) {
            answer(Request.of(i, i % 32));
        }
        long before = residentKilobytes();
        var milliseconds = new double[requests];
        for (int i = 0; i < requests; i++) {
            long start = System.nanoTime();
            answer(Request.of(i, i % 32));
            milliseconds[i] = (System.nanoTime() - start) / 1e6;
        }
        long after = residentKilobytes();
        double first = percentile(Arrays.copyOf(milliseconds, WINDOW), 50);
        double last = percentile(Arrays.copyOfRange(milliseconds, requests - WINDOW, requests), 50);
        return """
                | %,d requests after %d to warm up | first %d | last %d | last ÷ first |
                |---|---|---|---|
                | median, ms | %.2f | %.2f | %.2f |
                | resident memory, MB | %.0f | %.0f | %.3f |
                """.formatted(requests, WARM_UP, WINDOW, WINDOW, first, last, last / first, before / 1e3, after / 1e3,
                (double) after / before);
    }

    private static double percentile(double[] values, int percent) {
        var sorted = values.clone();
        Arrays.sort(sorted);
        return sorted[Math.min(sorted.length - 1, sorted.length * percent / 100)];
    }

    /** Clients that ask again as soon as they have an answer. */
    private String together(int clients, int seconds) throws Exception {
        var alone = new String[clients][10];
        for (int client = 0; client < clients; client++) {
            for (int kind = 0; kind < 10; kind++) {
                alone[client][kind] = answer(Request.of(kind, client));
            }
        }
        long before = residentKilobytes();
        long end = System.nanoTime() + seconds * 1_000_000_000L;
        var all = new ArrayList<Double>();
        int mixed = 0;
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            var running = IntStream.range(0, clients)
                    .mapToObj(client -> threads.submit(() -> ask(client, alone[client], end))).toList();
            for (var each : running) {
                all.addAll(each.get().milliseconds());
                mixed += each.get().mixed();
            }
        }
        if (mixed > 0) {
            throw new IllegalStateException(mixed + " answers were not what their client gets alone");
        }
        var milliseconds = all.stream().mapToDouble(value -> value).toArray();
        return """
                | %d clients for %d s | |
                |---|---|
                | requests, all answered, all as alone | %,d |
                | a second | %.0f |
                | median, ms | %.0f |
                | p99, ms | %.0f |
                | slowest, ms | %.0f |
                | resident memory before and after, MB | %.0f, %.0f |
                """.formatted(clients, seconds, milliseconds.length, milliseconds.length / (double) seconds,
                percentile(milliseconds, 50),
                percentile(milliseconds, 99), percentile(milliseconds, 100), before / 1e3, residentKilobytes() / 1e3);
    }

    private record Asked(List<Double> milliseconds, int mixed) {
    }

    private Asked ask(int client, String[] alone, long end) throws IOException, InterruptedException {
        var milliseconds = new ArrayList<Double>();
        int mixed = 0;
        for (int kind = client; System.nanoTime() < end; kind++) {
            long start = System.nanoTime();
            var answer = answer(Request.of(kind, client));
            milliseconds.add((System.nanoTime() - start) / 1e6);
            mixed += answer.equals(alone[kind % 10]) ? 0 : 1;
        }
        return new Asked(milliseconds, mixed);
    }
}
