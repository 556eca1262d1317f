package org.lmdebugger.bench;

import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.regex.Pattern;

/**
 * The page in a browser, Chromium: how long an arrow key and a moved slider take until their result is painted, beside one
 * trace of one position over HTTP. The prompt has 100 tokens. The browser is driven over the WebDriver protocol.
 */
final class Page implements AutoCloseable {
    private static final int TOKENS = 100;
    private static final int WARM_UP = 4;
    private static final String PROMPT = "the girl was a little dog and he had to ".repeat(TOKENS / 10).strip();

    /** Ends when the view is there and loads nothing, and returns the number of tokens. */
    private static final String SETTLED = """
            const done = arguments[arguments.length - 1];
            const timer = setInterval(() => {
                if (document.querySelector('.outcome') && !document.querySelector('main [aria-busy=true]')) {
                    clearInterval(timer);
                    setTimeout(() => done(document.querySelectorAll('.chips .chip').length), 300);
                }
            }, 50);""";

    /** Does something, and returns the milliseconds until what `isShown` returns is true and painted. */
    private static final String TIMED = """
            const done = arguments[arguments.length - 1];
            const start = performance.now();
            const observer = new MutationObserver(() => {
                if (!document.querySelector('.outdated') && isShown()) {
                    observer.disconnect();
                    requestAnimationFrame(() => {
                        const channel = new MessageChannel();
                        channel.port1.onmessage = () => done(performance.now() - start);
                        channel.port2.postMessage(null);
                    });
                }
            });
            observer.observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
            act();""";

    private static final String ARROW = """
            const chip = document.querySelector('.chips [aria-pressed=true]');
            const wanted = `Layers at position ${Number(chip.querySelector('sub').textContent) - 1},`;
            const isShown = () => document.querySelector('.layers-head h2').textContent.startsWith(wanted);
            const act = () => chip.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowLeft', bubbles: true }));
            """ + TIMED;

    /** The neuron's own row shows the amount, which it has from the trace. */
    private static final String SLIDER = """
            const slider = document.querySelector('.edit input[type=range]');
            const amount = slider.value > 0 ? -5 : 5;
            const wanted = amount < 0 ? '−5.00' : '5.00';
            const isShown = () => [...document.querySelectorAll('#layer-1 .edited')].some(each => each.textContent === wanted);
            const act = () => {
                slider.value = amount;
                slider.dispatchEvent(new Event('input', { bubbles: true }));
            };
            """
            + TIMED;

    private final HttpClient http = HttpClient.newHttpClient();
    private final Process driver;
    private final URI session;

    private Page() throws IOException, InterruptedException {
        driver = new ProcessBuilder("/usr/bin/chromedriver", "--port=0").redirectErrorStream(true).start();
        var port = Pattern.compile("on port (\\d+)\\.");
        var line = driver.inputReader().lines().map(port::matcher).filter(each -> each.find()).findFirst()
                .orElseThrow(() -> new IOException("chromedriver did not start"));
        var drivers = URI.create("http://127.0.0.1:" + line.group(1) + "/");
        var answer = post(drivers.resolve("session"), """
                {"capabilities": {"alwaysMatch": {"timeouts": {"script": 120000}, "goog:chromeOptions": {
                "binary": "/usr/bin/chromium", "args": ["--headless=new", "--no-sandbox", "--disable-gpu",
                "--disable-dev-shm-usage", "--window-size=1280,900"]}}}}""");
        session = drivers.resolve("session/" + value(answer, "\"sessionId\":\"(\\w+)\"") + "/");
    }

    private String post(URI address, String body) throws IOException, InterruptedException {
        var answer = http.send(HttpRequest.newBuilder(address).setHeader("Content-Type", "application/json")
                .POST(BodyPublishers.ofString(body)).build(), BodyHandlers.ofString());
        if (answer.statusCode() != 200) {
            throw new IOException("%s: %d %s".formatted(address, answer.statusCode(), answer.body()));
        }
        return answer.body();
    }

    private static String value(String answer, String pattern) throws IOException {
        var found = Pattern.compile(pattern).matcher(answer);
        if (!found.find()) {
            throw new IOException("%s (expected: %s)".formatted(answer, pattern));
        }
        return found.group(1);
    }

    private double script(String text) throws IOException, InterruptedException {
        var quoted = text.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n");
        return Double.parseDouble(value(post(session.resolve("execute/async"),
                "{\"script\": \"%s\", \"args\": []}".formatted(quoted)), "\"value\":([\\d.]+)"));
    }

    /** Returns a table of medians over the rounds; a round is a key, a move of the slider and a trace, each when all else has ended. */
    static String measure(URI server, int rounds) throws IOException, InterruptedException {
        try (var page = new Page()) {
            page.post(page.session.resolve("url"), "{\"url\": \"%s\"}".formatted(
                    server.resolve("#/prediction?edit=L1D0%3D5&prompt="
                            + URLEncoder.encode(PROMPT, StandardCharsets.UTF_8))));
            if (page.script(SETTLED) != TOKENS) {
                throw new IOException("the prompt has another number of tokens (expected: %d)".formatted(TOKENS));
            }
            var arrow = new double[2][rounds];
            var slider = new double[2][rounds];
            var trace = new double[rounds];
            for (int round = -WARM_UP; round < rounds; round++) {
                int at = Math.max(round, 0); // a warm-up's numbers are overwritten
                page.time(SLIDER, slider, at);
                long start = System.nanoTime();
                page.post(server.resolve("/api/v1/trace"), "{\"prompt\": \"%s\", \"positions\": [%d]}".formatted(PROMPT,
                        TOKENS - 1));
                trace[at] = (System.nanoTime() - start) / 1e6;
                page.time(ARROW, arrow, at);
            }
            double one = median(trace);
            return """
                    | a prompt of %d tokens, medians of %d | ms | ÷ trace | the browser's processor time, ms |
                    |---|---|---|---|
                    | a trace of one position, over HTTP | %.0f | | |
                    | an arrow key, until its result is painted | %.0f | %.2f | %.0f |
                    | a moved slider, until its result is painted | %.0f | %.2f | %.0f |
                    """.formatted(TOKENS, rounds, one, median(arrow[0]), median(arrow[0]) / one, median(arrow[1]),
                    median(slider[0]), median(slider[0]) / one, median(slider[1]));
        }
    }

    /** Runs a script that returns milliseconds, writes them and the browser's processor time, and waits until all else has ended. */
    private void time(String script, double[][] to, int at) throws IOException, InterruptedException {
        double before = processorTime();
        to[0][at] = script(script);
        to[1][at] = processorTime() - before;
        script(SETTLED);
    }

    /** The milliseconds that the browser's processes have taken. */
    private double processorTime() {
        return driver.descendants().flatMap(each -> each.info().totalCpuDuration().stream())
                .mapToLong(Duration::toNanos)
                .sum() / 1e6;
    }

    private static double median(double[] values) {
        var sorted = values.clone();
        Arrays.sort(sorted);
        return sorted[sorted.length / 2];
    }

    @Override
    public void close() throws IOException {
        try {
            http.send(HttpRequest.newBuilder(session.resolve(".")).DELETE().build(), BodyHandlers.discarding());
        } catch (InterruptedException ended) {
            Thread.currentThread().interrupt();
        } finally {
            driver.destroy();
        }
    }
}
