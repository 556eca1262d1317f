package org.lmdebugger.app.server;

import static java.util.stream.Collectors.toMap;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.openqa.selenium.By;
import org.openqa.selenium.Keys;
import org.openqa.selenium.WebElement;

/** Every number of a table is that of the HTTP interface for the same question. */
@Tag("slow")
class NumbersPageTest extends PageTest {
    private static final String QUESTION = "{\"prompt\": \"%s\"".formatted(TestServer.PROMPT);
    private static final String CLEAN = "Once upon a time there was a little girl named";
    private static final String CORRUPTED = "Once upon a time there was a little boy named";
    private static final String PAIR = "{\"clean\": \"%s\", \"corrupted\": \"%s\", \"direction\": \"noise\"".formatted(
            CLEAN,
            CORRUPTED);
    private static final String PAIR_LINK = "?prompt=%s&other=%s&direction=noise".formatted(CLEAN.replace(' ', '+'),
            CORRUPTED.replace(' ', '+'));

    /** A link or a feed-forward part of the flow, and the interventions that take it away. */
    private record Weight(int layer, JsonNode norm, JsonNode share, List<String> off) {
    }

    private JsonNode position(String more) {
        return TestServer.json(server.post("/api/v1/trace", QUESTION + more + "}")).at("/positions/0");
    }

    /** The data of the last event. */
    private JsonNode end(String path, String body) {
        var events = server.post(path, body).body();
        return TestServer.json(events.substring(events.lastIndexOf("data: ") + "data: ".length()));
    }

    private static Stream<JsonNode> each(JsonNode list) {
        return StreamSupport.stream(list.spliterator(), false);
    }

    private static Comparator<JsonNode> largest(String number) {
        return Comparator.comparingDouble(each -> -Math.abs(each.get(number).doubleValue()));
    }

    /** As the page writes it. */
    private static String fixed(JsonNode number, int digits) {
        return new BigDecimal(number.doubleValue()).setScale(digits, RoundingMode.HALF_UP).toPlainString().replace('-',
                '−');
    }

    private static String signed(JsonNode number) {
        var text = fixed(number, 3);
        return text.matches("−?0\\.000") ? "±0.000" : text.startsWith("−") ? text : "+" + text;
    }

    /** A probability or share in per cent. */
    private static String percent(JsonNode share) {
        double value = share.doubleValue() * 100;
        return value >= 99.95 && value < 100 ? ">99.9%"
                : value < 0.01 ? "<0.01%"
                        : new BigDecimal(value).setScale(value >= 10 ? 1 : 2, RoundingMode.HALF_UP) + "%";
    }

    /** A token as the page shows it, of printable characters. */
    private static String visible(JsonNode token) {
        return token.textValue().replace(' ', '␣');
    }

    /** A row's name and its numbers. */
    private static List<String> cells(WebElement row) {
        return Stream.concat(Stream.of(row.findElement(By.tagName("th"))),
                row.findElements(By.cssSelector("td.figure")).stream()).map(WebElement::getText).toList();
    }

    private List<List<String>> rows(String css) {
        browser.find(css);
        browser.settle();
        return browser.all(css).stream().map(NumbersPageTest::cells).toList();
    }

    /** The texts of the rows of each layer's tables, also of those out of sight: before, neurons, after. */
    @SuppressWarnings("unchecked")
    private List<List<List<List<String>>>> layers() {
        browser.find(".layer");
        browser.settle();
        return (List<List<List<List<String>>>>) browser
                .script("""
                        const texts = (row, cells) => [...row.querySelectorAll(cells)].map(cell => cell.textContent);
                        return [...document.querySelectorAll('.layer')].map(card => [...card.querySelectorAll('table')].map(table =>
                            [...table.querySelectorAll('tbody tr')].map(row =>
                                texts(row, 'th[scope=row], td.clean, td.edited, td.same, td.figure, td.score'))));""");
    }

    private static List<List<String>> tokens(JsonNode list) {
        return each(list).map(each -> List.of(visible(each.get("token")), percent(each.get("probability")))).toList();
    }

    private void layersAreThoseOf(JsonNode position) {
        var shown = layers();
        for (var layer : position.get("layers")) {
            var tables = shown.get(layer.get("layer").intValue());
            assertThat(tables).isEqualTo(List.of(tokens(layer.get("before")), each(layer.get("dominant")).map(
                    each -> List.of("L%dD%d".formatted(layer.get("layer").intValue(), each.get("neuron").intValue()),
                            fixed(each.get("coefficient"), 2), fixed(each.get("score"), 2), signed(each.get("direct")),
                            signed(each.get("total"))))
                    .toList(), tokens(layer.get("after"))));
        }
    }

    @Test
    void predictionAlsoAfterAnArrowKeyAndOutOfSight() {
        browser.open("#/prediction?" + PROMPT + "&top=10");
        layersAreThoseOf(position(", \"top\": 10, \"total\": true"));
        browser.find(".chips [aria-pressed=true]").sendKeys(Keys.ARROW_LEFT);
        browser.untilText(".layers-head h2", "position 6");
        layersAreThoseOf(position(", \"top\": 10, \"total\": true, \"positions\": [6]"));
    }

    @Test
    void predictionOfTwoRuns() {
        browser.open("#/prediction?" + PROMPT + "&top=10&edit=L1D483%3D-9");
        browser.find(".outcome .both");
        var shown = layers();
        var runs = TestServer
                .json(server.post("/api/v1/trace", QUESTION + ", \"top\": 10, \"edits\": [\"L1D483=-9\"]}"));
        var clean = runs.at("/positions/0/layers");
        var edited = runs.at("/edited/positions/0/layers");
        for (int layer = 0; layer < clean.size(); layer++) {
            var before = each(clean.get(layer).get("after")).collect(toMap(each -> each.get("id"), each -> each));
            var after = each(edited.get(layer).get("after")).collect(toMap(each -> each.get("id"), each -> each));
            var rows = Stream.concat(each(edited.get(layer).get("after")),
                    each(clean.get(layer).get("after")).filter(each -> !after.containsKey(each.get("id"))))
                    .map(each -> List.of(visible(each.get("token")), percentOf(before.get(each.get("id"))),
                            percentOf(after.get(each.get("id")))))
                    .toList();
            assertThat(shown.get(layer).get(2)).isEqualTo(rows);
        }
    }

    private static String percentOf(JsonNode token) {
        return token == null ? "–" : percent(token.get("probability"));
    }

    @Test
    void attention() {
        browser.open("#/attention?" + PROMPT + "&layer=2&head=5");
        var shown = rows("[aria-label='Strongest heads'] tbody tr");
        var heads = each(position(", \"top\": 8, \"attention\": true").get("attention")).toList();
        assertThat(shown).isNotEmpty().isEqualTo(heads.stream().sorted(largest("direct")).limit(shown.size())
                .map(each -> List.of("L%dH%d".formatted(each.get("layer").intValue(), each.get("head").intValue()),
                        signed(each.get("direct")), signed(each.get("total"))))
                .toList());
        var sources = each(heads.get(2 * server.debugger.model().config().heads() + 5).get("sources"));
        assertThat(browser.texts(".sources tbody td:nth-child(3)"))
                .isEqualTo(sources.map(each -> fixed(each.get("norm"), 3)).toList());
    }

    @Test
    void attribution() {
        browser.open("#/attribution?" + PROMPT);
        browser.find(".attribution .group");
        browser.settle();
        browser.all(".attribution .group button").forEach(WebElement::click);
        var shown = rows(".attribution tbody tr");
        var attribution = position(", \"attribution\": true, \"neurons\": 10").get("attribution");
        var expected = new ArrayList<List<String>>();
        for (var part : attribution.get("parts")) {
            if (part.get("part").textValue().matches("L\\d+H\\d+")) {
                expected.add(
                        List.of(part.get("part").textValue(), signed(part.get("direct")), signed(part.get("total"))));
            }
            each(part.path("neurons")).forEach(
                    each -> expected.add(List.of(each.get("neuron").textValue(), signed(each.get("direct")), "")));
        }
        assertThat(expected).hasSize(24 + 4 * 10);
        assertThat(shown.stream().map(row -> row.getFirst().matches("L\\d+[HD]\\d+\\b.*")
                ? List.of(row.get(0).replaceFirst("(L\\d+[HD]\\d+).*", "$1"), row.get(1), row.get(2))
                : row)).containsAll(expected).contains(List.of("logit", signed(attribution.get("logit"))));
        var attentionOfLayer2 = each(attribution.get("parts"))
                .filter(each -> each.get("part").textValue().matches("L2H\\d+|L2\\.attentionBias"))
                .mapToDouble(each -> each.get("direct").doubleValue()).sum();
        var group = shown.stream().filter(row -> row.getFirst().endsWith("L2 attention")).findFirst().orElseThrow();
        assertThat(Double.parseDouble(group.get(1).replace('−', '-').replace("±", "")))
                .isCloseTo(attentionOfLayer2, within(0.000501)); // of its last digit the half, and rounding of the sum
    }

    @Test
    void patching() {
        browser.open("#/patching" + PAIR_LINK);
        browser.until("a pair", () -> browser.all(".aligned li").size() == 10);
        browser.settle();
        browser.find(".patch-form .primary").click();
        var grids = end("/api/v1/patch", PAIR + ", \"sites\": [\"pre\", \"attention\", \"ffn\", \"heads\"]}")
                .get("grids");
        var cells = new ArrayList<List<String>>();
        var effects = new ArrayList<Double>();
        for (var grid : grids) {
            for (int part = 0; part < grid.get("parts").size(); part++) {
                for (int column = 0; column < grid.get("columns").size(); column++) {
                    var place = "/%d/%d".formatted(part, column);
                    effects.add(-Math.abs(grid.get("effect").at(place).doubleValue()));
                    cells.add(List.of(grid.get("parts").get(part).textValue() + "@" + column,
                            fixed(grid.get("normalised").at(place), 3), signed(grid.get("difference").at(place)),
                            signed(grid.get("effect").at(place)), fixed(grid.get("kl").at(place), 4)));
                }
            }
        }
        assertThat(rows(".strongest tbody tr")).isEqualTo(IntStream.range(0, cells.size()).boxed()
                .sorted(Comparator.comparingDouble(effects::get)).limit(10).map(cells::get).toList());
    }

    @Test
    void everyCellOfAMapOfPatching() {
        browser.open("#/patching" + PAIR_LINK + "&sites=pre");
        browser.until("a pair", () -> browser.all(".aligned li").size() == 10);
        browser.settle();
        browser.find(".patch-form .primary").click();
        var canvas = browser.find(".patch-grid canvas");
        browser.settle();
        IntStream.range(0, 10).forEach(any -> canvas.sendKeys(Keys.ARROW_LEFT));
        IntStream.range(0, 4).forEach(any -> canvas.sendKeys(Keys.ARROW_UP));
        var grid = end("/api/v1/patch", PAIR + ", \"sites\": [\"pre\"]}").at("/grids/0");
        for (int part = 0; part < 4; part++) {
            for (int step = 0; step < 10; step++) {
                int column = part % 2 == 0 ? step : 9 - step; // there and back
                var place = "/%d/%d".formatted(part, column);
                var effect = grid.get("effect").at(place);
                assertThat(browser.find(".patch-grid .readout").getText())
                        .startsWith(grid.get("parts").get(part).textValue() + "@" + column + " ")
                        .endsWith(effect.doubleValue() == 0 ? ": without any effect"
                                : ": normalised %s, logit difference %s (%s), KL %s".formatted(
                                        fixed(grid.get("normalised").at(place), 3),
                                        signed(grid.get("difference").at(place)), signed(effect),
                                        fixed(grid.get("kl").at(place), 4)));
                if (step < 9) {
                    canvas.sendKeys(part % 2 == 0 ? Keys.ARROW_RIGHT : Keys.ARROW_LEFT);
                }
            }
            canvas.sendKeys(Keys.ARROW_DOWN);
        }
    }

    @Test
    void neuron() {
        browser.open("#/value/L1D483?" + PROMPT);
        browser.find(".activity .chip");
        browser.find("[aria-label=Similar] .found li");
        browser.settle();
        var value = TestServer.json(server.get("/api/v1/values/L1D483?top=50"));
        for (var list : List.of("top", "bottom")) {
            assertThat(
                    browser.texts(".halves table:%s-of-type .figure".formatted(list.equals("top") ? "first" : "last")))
                            .isEqualTo(
                                    each(value.get(list)).limit(40).map(each -> fixed(each.get("logit"), 2)).toList());
        }
        browser.untilText(".hint", "norm " + fixed(value.get("norm"), 2));
        var coefficients = TestServer
                .json(server.post("/api/v1/coefficients", QUESTION + ", \"neurons\": [\"L1D483\"]}"));
        assertThat(browser.texts(".activity sub"))
                .isEqualTo(each(coefficients.at("/neurons/0/clean")).map(each -> fixed(each, 2)).toList());
        var similar = TestServer.json(server.get("/api/v1/values/L1D483/similar?top=10")).get("similar");
        assertThat(browser.texts("[aria-label=Similar] .found .hint"))
                .isEqualTo(each(similar).map(each -> "cosine " + fixed(each.get("score"), 3)).toList());
    }

    @Test
    void edges() {
        browser.open("#/flow" + PAIR_LINK + "&edges=*%3Elogits&strongest=100");
        browser.click("Measure edges");
        var edges = end("/api/v1/edges", PAIR + ", \"edges\": [\"*>logits\"]}").get("edges");
        assertThat(rows(".edge-table tbody tr"))
                .isEqualTo(each(edges).filter(each -> each.get("effect").doubleValue() != 0)
                        .sorted(largest("effect"))
                        .map(each -> List.of(each.get("sender").textValue(), signed(each.get("effect")),
                                fixed(each.get("normalised"), 3), fixed(each.get("kl"), 4)))
                        .toList());
        assertThat((List<?>) browser.script(
                "return [...document.querySelectorAll('.edges path title')].map(each => each.textContent)"))
                        .as("the drawing's").asInstanceOf(InstanceOfAssertFactories.list(String.class))
                        .containsExactlyInAnyOrderElementsOf(
                                each(edges).filter(each -> each.get("effect").doubleValue() != 0)
                                        .map(each -> "%s to %s: %s".formatted(each.get("sender").textValue(),
                                                each.get("receiver").textValue(), signed(each.get("effect"))))
                                        .toList());
    }

    @Test
    void flow() {
        browser.open("#/flow?" + PROMPT + "&measured=true");
        browser.find(".flow .node");
        browser.settle();
        browser.find("[aria-label='All links'] summary").click();
        var shown = rows("[aria-label='All links'] tbody tr").stream().map(row -> row.subList(1, row.size())).toList();
        var flow = TestServer.json(server.post("/api/v1/flow", QUESTION + ", \"least\": 0.1}"));
        int heads = server.debugger.model().config().heads();
        var ffns = each(flow.get("nodes")).filter(each -> each.get("ffn_share").doubleValue() >= 0.1)
                .map(each -> new Weight(each.get("layer").intValue(), each.get("ffn"), each.get("ffn_share"),
                        List.of("L%d.ffn=0@%d".formatted(each.get("layer").intValue(),
                                each.get("position").intValue()))));
        var links = each(flow.get("links")).map(each -> new Weight(each.get("layer").intValue(), each.get("norm"),
                each.get("share"),
                IntStream.range(0, heads).mapToObj(head -> "L%dH%d.link=off@%d->%d".formatted(
                        each.get("layer").intValue(), head, each.get("query").intValue(), each.get("key").intValue()))
                        .toList()));
        var weights = Stream.concat(ffns, links).sorted(Comparator.comparing((Weight each) -> -each.layer)
                .thenComparing(each -> -each.share.doubleValue())).toList();
        var target = position("").at("/target/id").intValue();
        var effects = TestServer.json(server.post("/api/v1/effects", TestServer.JSON.createObjectNode()
                .put("prompt", TestServer.PROMPT).put("target", "#" + target)
                .set("interventions", TestServer.JSON.valueToTree(weights.stream().map(Weight::off).toList()))
                .toString())).get("effects");
        assertThat(shown).hasSizeGreaterThan(10).isEqualTo(IntStream.range(0, weights.size())
                .mapToObj(i -> List.of(fixed(weights.get(i).norm, 3), percent(weights.get(i).share),
                        signed(effects.get(i))))
                .toList());
    }
}
