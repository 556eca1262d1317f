package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Comparator;
import java.util.Locale;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.lmdebugger.interpret.edge.Edge;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.patch.Patching.Direction;
import org.lmdebugger.interpret.trace.Flow;
import org.lmdebugger.progress.Progress;
import org.openqa.selenium.By;
import org.openqa.selenium.Keys;

/** The routes to a prediction, as a user sees them. */
@Tag("slow")
class FlowPageTest extends PageTest {
    private static final int LAST = 7;
    private static final double SHARE = 0.1;

    private void open(String more) {
        browser.open("#/flow?" + PROMPT + more);
        browser.find(".flow .node");
        browser.settle();
    }

    private Flow expected(double share) {
        try (var run = server.debugger.run(TestServer.PROMPT)) {
            return Flow.of(run, Intervention.NONE, LAST, share);
        }
    }

    private float girl(String... edits) {
        try (var run = server.debugger.run(TestServer.PROMPT, Intervention.parse(edits)); var logits = run.logits()) {
            return logits.row(LAST).toFloats()[server.debugger.model().tokenizer().single(" girl")];
        }
    }

    private String[] off(Flow.Link link) {
        return IntStream.range(0, server.debugger.model().config().heads()).mapToObj(
                head -> "L%dH%d.link=off@%d->%d".formatted(link.layer(), head, link.query(), link.key()))
                .toArray(String[]::new);
    }

    @Test
    void routesAreThoseAboveTheThreshold() {
        open("");
        for (double share : new double[] {SHARE, 0.3}) {
            if (share != SHARE) {
                open("&share=" + share);
            }
            var flow = expected(share);
            assertThat(browser.all(".flow .link")).hasSize(flow.links().size());
            var entries = IntStream.concat(IntStream.of(LAST), flow.links().stream().mapToInt(Flow.Link::key))
                    .distinct().count();
            assertThat(browser.all(".flow .node")).hasSize(flow.nodes().size() + (int) entries);
        }
        open("");
        var range = browser.find("input[type=range][aria-valuetext]");
        range.sendKeys(Keys.ARROW_RIGHT);
        browser.until("in the link", () -> browser.address().contains("share=0.11"));
        assertThat(browser.all(".flow .link")).hasSize(expected(0.11).links().size());
        browser.screenshots("flow");
    }

    @Test
    void aNodeIsReachedByKeysAndLeadsToItsPrediction() {
        open("");
        var first = expected(SHARE).links().stream().filter(link -> link.layer() == 3).toList();
        assertThat(browser.texts(".node-of tbody tr")).hasSize(1 + first.size());
        var shown = browser.texts(".node-of tbody td:nth-child(4)");
        for (var link : first) {
            assertThat(shown).contains(String.format(Locale.ROOT, link.share() >= 0.1 ? "%.1f%%" : "%.2f%%",
                    100 * link.share()));
        }
        browser.find(".flow [tabindex='0']").sendKeys(Keys.ARROW_DOWN);
        browser.untilText(".node-of h3", "layer 2");
        var node = browser.driver.switchTo().activeElement();
        assertThat(node.getDomAttribute("data-node")).isEqualTo("2 7");
        assertThat(node.getAccessibleName()).contains("Layer 2 at ␣little (7)");
        node.sendKeys(Keys.ENTER);
        browser.until("its prediction", () -> browser.address().contains("#/prediction")
                && browser.address().contains("layer=2"));
        browser.driver.navigate().back();
        browser.find(".flow .node");
        var link = browser.find(".node-of tbody a");
        int head = Integer.parseInt(link.getText().replaceFirst(".*H", ""));
        link.click();
        browser.untilText(".attention-columns h2", "Head L3H" + head);
    }

    @Test
    void effectsAreMeasuredAndSaidToBe() {
        open("");
        assertThat(browser.find(".flow").findElements(By.cssSelector(".for, .against"))).isEmpty();
        browser.untilText("[aria-label=Flow] > .hint", "norms, not effects");
        var box = browser.all("[aria-label=Flow] input[type=checkbox]").getFirst();
        box.click();
        browser.untilText("[aria-label=Flow] > .hint", "measured effects: the logit of ␣girl");
        browser.settle();
        assertThat(browser.address()).contains("measured=true");
        var link = expected(SHARE).links().stream().filter(each -> each.layer() == 3 && each.key() != LAST).findFirst()
                .orElseThrow();
        var row = browser.all(".node-of tbody tr").stream()
                .filter(each -> !each.findElements(By.tagName("a")).isEmpty()
                        && each.findElement(By.cssSelector("td sub")).getText().equals("" + link.key()))
                .findFirst().orElseThrow();
        double effect = girl() - girl(off(link));
        assertThat(row.findElement(By.cssSelector("td:nth-child(5)")).getText())
                .isEqualTo(String.format(Locale.ROOT, "%s%.3f", effect < 0 ? "−" : "+", Math.abs(effect)));
        assertThat(browser.find(".flow").findElements(By.cssSelector(".link.for, .link.against"))).isNotEmpty();

        browser.click("Switch off the FFN of layer 3");
        browser.until("in the link", () -> browser.address().contains("edit=L3.ffn%3D0%40last"));
        browser.click("edited");
        browser.untilText(".flow-table, [aria-label=Flow] h2", "edited");
        browser.settle();
        assertThat(browser.texts(".node-of tbody tr:first-child td")).isNotEmpty();
        browser.screenshots("flow-measured");
    }

    @Test
    void edgesOfAPairAreMeasuredAndLeadToTheirParts() {
        var clean = "Once upon a time there was a little girl named";
        var corrupted = "Once upon a time there was a little boy named";
        var pair = Pair.of(clean, corrupted, " Lily", " Timmy");
        browser.open("#/flow?prompt=" + clean.replace(' ', '+') + "&direction=noise");
        browser.find(".flow .node");
        browser.type("[aria-label=Edges] .field:first-child input", corrupted);
        browser.type("[aria-label=Edges] .field:nth-child(2) input", "*>logits, *>L3H0.v", Keys.ENTER);
        browser.find(".edges path");
        browser.settle();
        var config = server.debugger.model().config();
        var effects = server.debugger.edges(pair, Direction.NOISE,
                Stream.of("*>logits", "*>L3H0.v").flatMap(text -> Edge.select(config, text).stream()).toList(),
                Progress.NONE);
        var edges = effects.edges();
        int largest = IntStream.range(0, edges.size()).boxed()
                .max(Comparator.comparingDouble(e -> Math.abs(effects.cells().get(e).effect()))).orElseThrow();
        assertThat(browser.all(".edges path")).hasSize(30).hasSameSizeAs(browser.all(".edge-table tbody tr"));
        assertThat(browser.texts(".edge-table tbody tr:first-child > *").subList(0, 3)).containsExactly(
                edges.get(largest).sender().toString(), edges.get(largest).receiver().toString(),
                String.format(Locale.ROOT, "%+.3f", effects.cells().get(largest).effect()).replace('-', '−'));
        browser.untilText("[aria-label=Edges]", "logit of ␣Lily minus that of ␣Timmy");
        browser.untilText("[aria-label=Edges] .hint:last-child", "30 strongest of %d".formatted(edges.size()));
        browser.untilText("[aria-label=Flow] > .hint", "norms, not effects");
        browser.screenshots("edges");
        browser.type("[aria-label=Edges] .field:nth-child(2) input", "L9H0>logits", Keys.ENTER);
        browser.untilText("[aria-label=Edges] .problem", "L9H0");
        browser.type("[aria-label=Edges] .field:nth-child(2) input", "L2H5>logits, L1.ffn>logits", Keys.ENTER);
        browser.until("two", () -> browser.all(".edges path").size() == 2);
        browser.find("[aria-label='Look at L2H5']").sendKeys(Keys.ENTER);
        browser.untilText(".attention-columns h2", "Head L2H5");
        browser.driver.navigate().back();
        browser.find("[aria-label=Edges]");
        assertThat(browser.address()).contains("edges=L2H5%3Elogits");
    }
}
