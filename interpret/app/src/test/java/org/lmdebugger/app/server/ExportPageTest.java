package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.trace.AttributionOptions;
import org.lmdebugger.interpret.values.ValueVectors;
import org.lmdebugger.model.Prompt;
import org.lmdebugger.progress.Progress;

/** Files of figures and tables, as the browser keeps them. */
@Tag("slow")
class ExportPageTest extends PageTest {
    /** Catches what the page has the browser keep, as [name, type, base64]. */
    private static final String CATCH = """
            window.kept = [];
            const blobs = new Map();
            const create = URL.createObjectURL;
            URL.createObjectURL = blob => {
                const address = create(blob);
                blobs.set(address, blob);
                return address;
            };
            HTMLAnchorElement.prototype.click = function () {
                const blob = blobs.get(this.href);
                const reader = new FileReader();
                reader.onload = () => window.kept.push([this.download, blob.type, reader.result.split(',')[1]]);
                reader.readAsDataURL(blob);
            };""";

    /** Of an SVG the number of its elements of each kind and its texts; or what is wrong. */
    private static final String LOOK = """
            const svg = new DOMParser().parseFromString(arguments[0], 'image/svg+xml');
            if (svg.querySelector('parsererror') || svg.documentElement.localName !== 'svg') {
                return svg.documentElement.textContent;
            }
            const of = name => svg.getElementsByTagName(name);
            return {rects: of('rect').length, paths: of('path').length, texts: [...of('text')].map(each => each.textContent),
                undone: /NaN|undefined|Infinity/.test(arguments[0])};""";

    private record Kept(String name, String type, byte[] bytes) {
        String text() {
            return new String(bytes, StandardCharsets.UTF_8);
        }

        /** Each line's fields; none of them has a line break. */
        List<List<String>> lines() {
            return text().lines()
                    .map(line -> Arrays.stream(line.split(",(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)", -1))
                            .map(field -> field.replaceAll("^\"(.*)\"$", "$1").replace("\"\"", "\"")).toList())
                    .toList();
        }
    }

    private void open(String hash, String ready) {
        browser.open(hash);
        browser.find(ready);
        browser.settle();
        browser.script(CATCH);
    }

    private Kept export(String what, String kind) {
        var menu = browser.find("summary[aria-label='Export %s']".formatted(what));
        browser.script("arguments[0].scrollIntoView({ block: 'center', behavior: 'instant' })", menu);
        menu.click();
        browser.click(what + " as " + kind);
        browser.until("kept", () -> !((List<?>) browser.script("return window.kept")).isEmpty());
        var kept = (List<?>) ((List<?>) browser.script("return window.kept.splice(0)")).getFirst();
        return new Kept((String) kept.get(0), (String) kept.get(1), Base64.getDecoder().decode((String) kept.get(2)));
    }

    private Map<?, ?> look(Kept svg) {
        assertThat(svg.type()).isEqualTo("image/svg+xml");
        var seen = browser.script(LOOK, svg.text());
        assertThat(seen).as(svg.name()).isInstanceOf(Map.class);
        assertThat(((Map<?, ?>) seen).get("undone")).isEqualTo(false);
        return (Map<?, ?>) seen;
    }

    private static List<String> texts(Map<?, ?> look) {
        return ((List<?>) look.get("texts")).stream().map(Object::toString).toList();
    }

    private static long count(Map<?, ?> look, String kind) {
        return (Long) look.get(kind);
    }

    @Test
    void aPredictionsFiguresAndNumbersAreKept() {
        open("#/prediction?" + PROMPT + "&edit=L3D492%3D0", ".heat-map tbody tr");
        var trace = server.debugger.trace(TestServer.PROMPT, Intervention.parse("L3D492=0"));
        var clean = trace.position(-1);

        var prediction = export("prediction", "CSV");
        assertThat(prediction.name())
                .isEqualTo("prediction_sample_Once-upon-a-time-there-was-a-little.csv");
        var lines = prediction.lines();
        assertThat(lines.getFirst()).containsExactly("id", "token", "clean", "edited");
        var first = clean.layers().getLast().after().getFirst();
        assertThat(lines.get(1).get(1)).isEqualTo(first.token());
        assertThat(Float.parseFloat(lines.get(1).get(2))).isEqualTo(first.probability());
        assertThat(Float.parseFloat(lines.get(1).get(3)))
                .isEqualTo(trace.editedPosition(-1).layers().getLast().after().getFirst().probability());

        JsonNode layer = TestServer.json(export("layer 2", "JSON").text());
        var neuron = StreamSupport.stream(layer.spliterator(), false)
                .filter(row -> row.get("table").asText().equals("neurons")).findFirst().orElseThrow();
        var strongest = clean.layer(2).dominant().getFirst();
        assertThat(neuron.get("neuron").asInt())
                .isEqualTo(strongest.neuron());
        assertThat(neuron.get("coefficient").floatValue()).isEqualTo(strongest.coefficient());
        assertThat(neuron.get("direct").floatValue()).isEqualTo(strongest.direct());
        assertThat(export("layers and positions", "CSV").lines()).hasSize(1 + 4 * 8);

        var heat = look(export("layers and positions", "SVG"));
        assertThat(count(heat, "rects")).as("cells and the background").isGreaterThan(4 * 8);
        assertThat(texts(heat)).contains("L3", "little");
        var ranks = look(export("rank of  girl", "SVG"));
        assertThat(count(ranks, "paths")).as("two lines of eight points and the grid").isGreaterThanOrEqualTo(2 + 16);
        assertThat(texts(ranks)).contains("#1", "L0");
        var picture = export("rank of  girl", "PNG");
        assertThat(picture.bytes()).startsWith(0x89, 'P', 'N', 'G').hasSizeGreaterThan(5_000);
        browser.screenshots("export");
    }

    @Test
    void aWaterfallIsKeptAsItIsDrawnAndWithAllItsNumbers() {
        open("#/attribution?" + PROMPT, ".attribution tbody tr");
        var expected = server.debugger.attribute(Prompt.of(TestServer.PROMPT), Intervention.NONE,
                AttributionOptions.DEFAULT, Progress.NONE);
        var lines = export("attribution", "CSV").lines();
        assertThat(lines.getLast().subList(0, 2)).containsExactly("sum", "");
        assertThat(Float.parseFloat(lines.getLast().get(2))).isEqualTo((float) expected.logit());
        for (var each : expected.contributions()) {
            var name = each.component().toString();
            if (name.matches("L\\d+H\\d+")) {
                var row = lines.stream().filter(line -> line.get(1).equals(name)).findFirst().orElseThrow();
                assertThat(Float.parseFloat(row.get(2))).as(name).isEqualTo((float) each.direct());
            }
        }
        var waterfall = look(export("attribution", "SVG"));
        assertThat(texts(waterfall)).contains("L2 attention", "direct", "final bias");
        assertThat(count(waterfall, "rects")).as("a bar for each group").isGreaterThanOrEqualTo(1 + 2 * 4 + 1);
        assertThat(export("attribution", "PNG").bytes()).startsWith(0x89, 'P', 'N', 'G');
    }

    @Test
    void mapsOnCanvasesAreKeptAsShapes() {
        open("#/attention?" + PROMPT + "&layer=2&head=1", ".attended .chip");
        var pattern = look(export("attention of L2H1", "SVG"));
        assertThat(count(pattern, "rects")).as("a square for each link, the backgrounds and the mark")
                .isGreaterThanOrEqualTo(8 * 9 / 2 + 3);
        assertThat(texts(pattern)).as("tokens of rows and columns").filteredOn("␣little"::equals).hasSize(2);
        int length = 8;
        try (var run = server.debugger.run(TestServer.PROMPT, Intervention.NONE); var weights = run.pattern(2)) {
            var expected = weights.toFloats();
            var lines = export("attention of L2H1", "CSV").lines();
            assertThat(lines).hasSize(1 + 8 * 9 / 2);
            for (var line : lines.subList(1, lines.size())) {
                int position = Integer.parseInt(line.get(0));
                int read = Integer.parseInt(line.get(2));
                assertThat(Float.parseFloat(line.get(4)))
                        .isEqualTo(expected[(length + position) * length + read]);
            }
        }
        assertThat(count(look(export("heads of layer 2", "SVG")), "rects"))
                .isGreaterThan(server.debugger.model().config().heads() * 8 * 9 / 2);
    }

    @Test
    void continuationsAreKeptAndSharedAndExperimentsAreListed() {
        open("#/generation?" + PROMPT + "&edit=L1D483%3D-9&length=5", "form .primary");
        browser.click("Generate");
        browser.untilText(".text.edited .hint", "5 tokens; as many");
        var expected = server.debugger.generate(TestServer.PROMPT, Intervention.parse("L1D483=-9"), 5).tokens();
        var lines = export("edited continuation", "CSV").lines();
        assertThat(lines).hasSize(1 + 5);
        for (int at = 0; at < 5; at++) {
            assertThat(lines.get(1 + at).get(2)).isEqualTo(expected.get(at).text());
            assertThat(Float.parseFloat(lines.get(1 + at).get(3))).isEqualTo(expected.get(at).logProbability());
        }
        browser.find(".share summary").click();
        assertThat(browser.all(".share input").stream().map(each -> each.getDomProperty("value")).skip(1).toList())
                .containsExactly("lmdebug generate 'Once upon a time there was a little' --model 'sample' --compare"
                        + " --edit 'L1D483=-9' --tokens 5",
                        "debugger.generate(\"Once upon a time there was a little\","
                                + " List.of(new Continuation(Intervention.NONE, 0),"
                                + " new Continuation(Intervention.parse(\"L1D483=-9\"), 0)),"
                                + " new GenerationOptions(5, new Sampling(0f, 0, 1f)), (continuation, token) -> true)");
        server.post("/api/v1/experiments", "{\"version\": 1, \"name\": \"kept\", \"prompt\": \"a, b\"}");
        open("#/experiments", ".experiments tbody tr");
        assertThat(export("experiments", "CSV").lines().get(1)).contains("kept", "a, b", "sample");
    }

    @Test
    void aValueVectorsTokensAreKept() {
        open("#/value/L1D5?" + PROMPT, ".cloud text");
        var lines = export("tokens of L1D5", "CSV").lines();
        var expected = new ValueVectors(server.debugger.model()).project(new Neuron(1, 5), 50,
                ValueVectors.Reading.RAW);
        assertThat(lines).hasSize(1 + 2 * 50);
        assertThat(lines.get(1).get(2)).isEqualTo(expected.top().getFirst().token());
        assertThat(Float.parseFloat(lines.get(1).get(3))).isEqualTo(expected.top().getFirst().logit());
        assertThat(texts(look(export("tokens of L1D5", "SVG")))).contains("care");
        browser.find(".activity");
        assertThat(export("coefficients of L1D5", "CSV").lines()).hasSize(1 + 8);
    }
}
