package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.openqa.selenium.By;
import org.openqa.selenium.WebElement;

/** Every number of a table is that of the HTTP interface for the same question. */
@Tag("slow")
class NumbersPageTest extends PageTest {
    private static final String QUESTION = "{\"prompt\": \"%s\", \"top\": 8".formatted(TestServer.PROMPT);
    private static final String CLEAN = "Once upon a time there was a little girl named";
    private static final String CORRUPTED = "Once upon a time there was a little boy named";
    private static final String PAIR = "{\"clean\": \"%s\", \"corrupted\": \"%s\", \"direction\": \"noise\"".formatted(
            CLEAN,
            CORRUPTED);
    private static final String PAIR_LINK = "?prompt=%s&other=%s&direction=noise".formatted(CLEAN.replace(' ', '+'),
            CORRUPTED.replace(' ', '+'));

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

    @Test
    void attention() {
        browser.open("#/attention?" + PROMPT + "&layer=2&head=5");
        var shown = rows("[aria-label='Strongest heads'] tbody tr");
        var heads = each(position(", \"attention\": true").get("attention")).toList();
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
    }
}
