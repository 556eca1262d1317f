package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.function.ToDoubleFunction;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.Mode;
import org.lmdebugger.interpret.trace.Attribution;
import org.lmdebugger.interpret.trace.Attribution.NeuronEffect;
import org.lmdebugger.interpret.trace.AttributionOptions;
import org.lmdebugger.interpret.trace.Trace;
import org.lmdebugger.interpret.trace.TraceOptions;
import org.lmdebugger.model.Prompt;
import org.lmdebugger.progress.Progress;
import org.openqa.selenium.By;
import org.openqa.selenium.Keys;
import org.openqa.selenium.WebElement;
import org.openqa.selenium.support.ui.Select;

/** How a prediction comes about, and what interventions make of it, as a user sees it. */
@Tag("slow")
class PredictionPageTest extends PageTest {
    private static final String LINK = "#/prediction?" + PROMPT;

    private void open(String more) {
        browser.open(LINK + more);
        browser.find(".outcome .predictions tbody tr");
        browser.find(".heat-map tbody tr");
        browser.settle();
    }

    /** As the page writes it. */
    private static String percent(float probability) {
        double value = 100.0 * probability;
        return value >= 10 ? String.format(Locale.ROOT, "%.1f%%", value)
                : value >= 0.01 ? String.format(Locale.ROOT, "%.2f%%", value) : "<0.01%";
    }

    private static String visible(String token) {
        return token.replace(' ', '␣').replace('\n', '⏎');
    }

    private List<String> outcome(String column) {
        return browser.texts(".outcome .predictions tbody tr:not(.left) " + column);
    }

    private void assertShows(Trace.Position position, String column) {
        var after = position.layers().getLast().after();
        assertThat(outcome("th")).containsExactlyElementsOf(after.stream().map(each -> visible(each.token())).toList());
        assertThat(outcome(column))
                .containsExactlyElementsOf(after.stream().map(each -> percent(each.probability())).toList());
    }

    private void assertShowsEdited(Intervention edits) {
        browser.settle();
        assertShows(server.debugger.trace(TestServer.PROMPT, edits).editedPosition(-1), "td:nth-of-type(3)");
    }

    @Test
    void anEmptyPageSaysWhatToDo() {
        browser.open("");
        browser.untilText(".empty", "Write a prompt");
        browser.screenshots("empty");
        browser.click("Once upon a time there was a little");
        browser.untilText(".headline", "girl");
    }

    @Test
    void aPromptIsTokenisedAsItIsTypedAndTraced() {
        browser.open("");
        browser.type("#prompt", "Once upon a time there was a littl");
        browser.until("tokens", () -> browser.all(".chips .chip").size() > 7);
        browser.type("#prompt", TestServer.PROMPT);
        browser.until("eight tokens", () -> browser.all(".chips .chip").size() == 8);
        assertThat(browser.all(".outcome")).isEmpty();
        browser.type("#prompt", TestServer.PROMPT, Keys.ENTER);
        browser.find(".heat-map tbody tr");
        browser.settle();
        assertShows(server.debugger.trace(TestServer.PROMPT).position(-1), "td.clean");
        assertThat(browser.all(".layer")).hasSize(4);
        assertThat(browser.texts(".layer:first-of-type .dominant tbody th").getFirst()).isEqualTo("L0D479");
        assertThat(browser.texts(".layer:first-of-type .dominant thead th")).contains("direct", "total");
        assertSameSign("L0D366");
        assertThat(browser.address()).contains(PROMPT);
        browser.screenshots("prediction");
    }

    /** What favours the prediction by both effects has the same sign and colour in both columns. */
    private void assertSameSign(String neuron) {
        browser.click("10");
        var update = server.debugger
                .trace(TestServer.PROMPT, Intervention.NONE, TraceOptions.DEFAULT.withTotalEffects()).position(-1)
                .layer(0).dominant().stream()
                .filter(each -> each.toString().startsWith(neuron + " ")).findFirst().orElseThrow();
        assertThat(update.direct()).isPositive();
        assertThat(update.total().orElseThrow()).isPositive();
        var row = browser.find(".layer .dominant button[aria-label='Details of %s']".formatted(neuron))
                .findElement(By.xpath("ancestor::tr"));
        var cells = row.findElements(By.cssSelector(".figure .clean.for")).stream().map(WebElement::getText).toList();
        assertThat(cells).containsExactly("+%.3f".formatted(update.direct()),
                "+%.3f".formatted(update.total().orElseThrow()));
    }

    @Test
    void aPositionIsChosenByClickOrKey() {
        open("");
        browser.all(".chips .chip").get(3).click();
        browser.until("position 3",
                () -> browser.address().contains("position=3") && browser.texts(".outcome h2").contains("After ␣time"));
        browser.settle();
        assertShows(server.debugger.trace("Once upon a time").position(-1), "td.clean");
        browser.find(".chips [aria-pressed=true]").sendKeys(Keys.ARROW_LEFT);
        browser.until("position 2", () -> browser.texts(".outcome h2").contains("After ␣a"));
        browser.screenshots("position");
    }

    @Test
    void theHeatMapOpensACellAndShowsRanks() {
        open("");
        assertThat(browser.all(".cell")).hasSize(4 * 8);
        browser.find("[data-cell='2 4']").click();
        browser.until("layer 2 at position 4", () -> browser.texts(".outcome h2").contains("After ␣there")
                && browser.find("#layer-2").getDomAttribute("class").contains("opened"));
        browser.find("[data-cell='2 4']").sendKeys(Keys.ARROW_DOWN);
        browser.until("layer 3", () -> browser.address().contains("layer=3"));
        browser.settle();
        browser.find(".heat .segments button:nth-child(2)").click();
        browser.until("ranks", () -> !browser.all(".heat-map.ranks").isEmpty());
        assertThat(browser.find("[data-cell='3 4']").getText()).as("the prediction is the first").isEqualTo("1");
        browser.screenshots("ranks");
    }

    @Test
    void aFollowedTokenIsSeenInEveryLayer() {
        open("");
        var boy = browser.all(".outcome .token-button").get(1);
        assertThat(boy.getText()).isEqualTo("␣boy");
        boy.click();
        browser.until("standings", () -> browser.all(".standings").size() == 4);
        browser.untilText(".journey figcaption", "␣boy");
        assertThat(browser.texts(".standings").getLast()).startsWith("␣boy").contains("#2");
        browser.screenshots("followed");

        browser.type("[aria-label='Token to follow']", "king", Keys.ENTER); // one that is in no list
        browser.untilText(".journey figcaption", "␣king");
        var king = server.debugger
                .trace(TestServer.PROMPT, Intervention.NONE, TraceOptions.DEFAULT.top(1)
                        .following(server.debugger.model().tokenizer().single(" king")))
                .position(-1).layer(3).chosen()
                .getFirst();
        browser.untilText(".standings", "#" + (king.after().rank() + 1));
        browser.size(390, 844);
        assertThat(browser
                .script("""
                        const box = document.querySelector('.journey svg').getBoundingClientRect();
                        return [...document.querySelectorAll('.journey text')].filter(each => {
                            const text = each.getBoundingClientRect();
                            return text.left < box.left || text.right > box.right || text.top < box.top || text.bottom > box.bottom;
                        }).map(each => each.textContent);"""))
                        .as("texts that a phone cuts off").isEqualTo(List.of());
        browser.size(1280, 900);
        browser.type("[aria-label='Token to follow']", "notatoken", Keys.ENTER);
        browser.untilText(".way .problem", "Not one token.");
    }

    @Test
    void anInterventionChangesThePredictionAndALinkReproducesIt() {
        open("");
        browser.click("Add L1D483 to the interventions");
        browser.find(".predictions.both");
        assertShowsEdited(Intervention.parse("L1D483=0@last"));
        browser.untilText(".edit .was", "is 3.10");

        var slider = browser.find(".edit input[type=range]");
        slider.sendKeys(Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ARROW_LEFT);
        var value = browser.find(".edit input[type=number]").getDomProperty("value");
        assertThat(Double.parseDouble(value)).isNegative();
        browser.until("in the link", () -> browser.address().contains("edit=L1D483%3D" + value));
        assertShowsEdited(Intervention.parse("L1D483=" + value + "@last"));

        browser.type(".add input", "L2D253*=-1@last", Keys.ENTER);
        browser.until("two", () -> browser.all(".edit").size() == 2);
        assertShowsEdited(Intervention.parse("L1D483=" + value + "@last", "L2D253*=-1@last"));
        assertThat(browser.all(".change.is-up, .change.is-new")).isNotEmpty();
        browser.screenshots("interventions");

        browser.until("in the link", () -> browser.address().contains("L2D253*%3D-1%40last"));
        var seen = main();
        browser.open(browser.address().replaceFirst("^[^#]*", ""));
        browser.find(".predictions.both");
        browser.find(".heat-map tbody tr");
        browser.settle();
        browser.until("the same view", () -> main().equals(seen));
    }

    @Test
    void whatIsAddedIsTakenAwayInTheSamePlaceAndUndone() {
        open("");
        var rows = browser.texts(".layer .dominant tbody th");
        browser.click("Add L1D483 to the interventions");
        browser.find(".predictions.both");
        browser.settle();
        assertThat(browser.texts(".layer .dominant tbody tr:not(:has(.is-new)) th")).isEqualTo(rows);
        browser.untilText(".strip", "1 intervention");
        browser.untilText(".strip", "→");
        for (int width : new int[] {1280, 390}) {
            browser.size(width, 844);
            assertThat(browser.script("""
                    window.scrollTo(0, 1500);
                    const box = document.querySelector('.strip').getBoundingClientRect();
                    return document.elementFromPoint(box.left + 20, box.top + 6)?.closest('.strip') != null;"""))
                    .as("the strip in sight, %d wide", width).isEqualTo(true);
        }
        browser.size(1280, 900);
        browser.script("window.scrollTo(0, 0)");
        browser.click("Remove L1D483 from the interventions");
        browser.until("none", () -> browser.all(".edit").isEmpty() && !browser.address().contains("edit="));
        browser.click("Undo (Ctrl+Z)");
        browser.until("again", () -> browser.all(".edit").size() == 1);
        browser.find("main").sendKeys(Keys.chord(Keys.CONTROL, "z"));
        browser.until("undone by key", () -> browser.all(".edit").isEmpty());
        browser.click("Redo (Ctrl+Shift+Z)");
        browser.until("in the link", () -> browser.address().contains("edit=L1D483"));
        browser.type("#prompt", "Once upon a time", Keys.ENTER);
        browser.until("another prompt", () -> browser.texts(".outcome h2").contains("After ␣time"));
        browser.until("in the link", () -> !browser.address().contains("little"));
        browser.driver.navigate().back();
        browser.until("the prompt before", () -> browser.texts(".outcome h2").contains("After ␣little"));
    }

    @Test
    void noResultsStandUnderAnotherPrompt() {
        open("");
        var held = new CountDownLatch(1);
        try {
            server.server.queue().interactive(job -> GenerationPageTest.hold(held));
            browser.type("#prompt", "My wife is working as a", Keys.ENTER);
            browser.untilText(".strip", "Computing");
            assertThat(browser.find(".outcome").isDisplayed()).isFalse();
            assertThat(browser.find(".layer").isDisplayed()).isFalse();
            assertThat(browser.script("return document.getAnimations().flatMap(each => each.effect.getKeyframes())"
                    + ".map(frame => frame.transform !== undefined && frame.backgroundPosition === undefined)"))
                            .as("what moves while the server computes takes no processor from it")
                            .isEqualTo(List.of(true, true));
        } finally {
            held.countDown();
        }
        browser.untilText(".outcome h2", "␣a");
        browser.settle();
        assertShows(server.debugger.trace("My wife is working as a").position(-1), "td.clean");
    }

    @Test
    void numbersMoveWithASlider() {
        open("&edit=L1D483%3D0");
        browser.find(".predictions.both");
        browser.settle();
        browser.driver.executeAsyncScript("""
                const done = arguments[0];
                const slider = document.querySelector('.edit input[type=range]');
                const seen = new Set();
                let moves = 0;
                const timer = setInterval(() => {
                    slider.value = -6 + (moves++ % 60) * 0.2;
                    slider.dispatchEvent(new Event('input', { bubbles: true }));
                    seen.add(document.querySelector('.headline').textContent);
                    if (seen.size > 4) { // else the script's time runs out
                        clearInterval(timer);
                        done();
                    }
                }, 30);""");
        browser.settle();
        var value = browser.find(".edit input[type=number]").getDomProperty("value");
        assertShowsEdited(Intervention.parse("L1D483=" + value));
        browser.type(".edit input[type=number]", Keys.DELETE, Keys.ENTER);
        assertThat(browser.find(".edit input[type=number]").getDomProperty("value")).as("an empty amount is none")
                .isEqualTo(value);
    }

    @Test
    void aLongPromptIsDrawnAsAWholeAndReadByKeyAndMouse() {
        var prompt = "Once upon a time there was a little girl.\n\nShe had a big dog and the dog was very happy to see her every day";
        browser.open(
                "#/prediction?prompt=" + URLEncoder.encode(prompt, StandardCharsets.UTF_8) + "&position=9&layer=2");
        var canvas = browser.find(".heat canvas");
        browser.settle();
        assertThat(browser.find("#prompt").getDomProperty("rows")).as("rows of three lines").isEqualTo("3");
        var trace = server.debugger.trace(prompt, Intervention.NONE, TraceOptions.DEFAULT.atAllPositions().top(1));
        assertThat(browser.all(".cell")).isEmpty();
        browser.untilText(".readout", says(trace, 9, 2));
        canvas.sendKeys(Keys.ARROW_RIGHT);
        browser.untilText(".readout", says(trace, 10, 2));
        browser.driver.switchTo().activeElement().sendKeys(Keys.ARROW_DOWN);
        browser.untilText(".readout", says(trace, 10, 3));
        browser.untilText(".outcome h2", visible(trace.tokens().get(10).text()));
        browser.settle();
        browser.screenshots("long");
        browser.click("those nearby");
        browser.until("cells", () -> browser.all(".cell").size() == 4 * 12);
        assertThat(browser.find("[data-cell='3 10']").getText())
                .isEqualTo(visible(trace.position(10).layer(3).after().getFirst().token()));
    }

    private static String says(Trace trace, int position, int layer) {
        var first = trace.position(position).layer(layer).after().getFirst();
        return "Layer %d, position %d: %s %s".formatted(layer, position, visible(first.token()),
                percent(first.probability()));
    }

    @Test
    void whatIsSeenIsSharedAsACommandAndAsJava() {
        open("&edit=L1D483%3D0%40last&edit=L2H1%3D0&token=%23" + server.debugger.model().tokenizer().single(" boy"));
        browser.find(".predictions.both");
        browser.settle();
        browser.find(".share summary").click();
        assertThat(browser.all(".share input").stream().map(each -> each.getDomProperty("value")).skip(1).toList())
                .containsExactly("lmdebug trace 'Once upon a time there was a little' --model 'sample' --target ' boy'"
                        + " --edit 'L1D483=0@last' --edit 'L2H1=0' --total",
                        "debugger.trace(\"Once upon a time there was a little\", Intervention.parse(\"L1D483=0@last\","
                                + " \"L2H1=0\"), TraceOptions.DEFAULT.following(%d).withTotalEffects())"
                                        .formatted(server.debugger.model().tokenizer().single(" boy")));
        browser.screenshots("share");
        browser.find(".layer .neuron").click();
        browser.find(".activity .chip");
        try (var run = server.debugger.run(TestServer.PROMPT)) {
            var name = browser.texts(".layer .neuron").getFirst().split("D");
            var values = run.coefficients(0).columns(Integer.parseInt(name[1]), 1).toFloats();
            assertThat(browser.texts(".activity sub")).hasSize(8).last()
                    .isEqualTo(String.format(Locale.ROOT, "%.2f", values[7]).replace('-', '−'));
        }
        browser.screenshots("drawer");
    }

    @Test
    void neuronsAreRankedByDirectEffectOrCoefficientAmongAllOfThem() {
        open("");
        var panel = "[aria-label='Neurons of all layers']";
        var layers = server.debugger.attribute(Prompt.of(TestServer.PROMPT), Intervention.NONE,
                AttributionOptions.DEFAULT.neurons(768), Progress.NONE).contributions().stream()
                .map(Attribution.Contribution::neurons).filter(each -> !each.isEmpty()).toList();
        var orders = Map.<String, ToDoubleFunction<NeuronEffect>>of("direct effect", NeuronEffect::direct,
                "coefficient", NeuronEffect::coefficient);
        orders.forEach((order, number) -> {
            browser.click(order);
            browser.settle();
            var digits = order.equals("coefficient") ? "%.2f" : "%+.3f";
            var column = " tbody td:nth-of-type(%d)".formatted(order.equals("coefficient") ? 1 : 3);
            var all = layers.stream().flatMap(List::stream).toList();
            Map.of(panel, all, "#layer-2", layers.get(2)).forEach((where, neurons) -> {
                var strongest = neurons.stream()
                        .sorted(Comparator.comparingDouble(each -> -Math.abs(number.applyAsDouble(each)))).limit(5)
                        .toList();
                assertThat(browser.texts(where + " .dominant tbody th"))
                        .containsExactlyElementsOf(strongest.stream().map(each -> each.neuron().toString()).toList());
                assertThat(browser.texts(where + " .dominant" + column)).containsExactlyElementsOf(strongest.stream()
                        .map(each -> digits.formatted(number.applyAsDouble(each)).replace('-', '−')).toList());
            });
            assertThat(browser.all(panel + " .hint")).isEmpty();
        });
        browser.click("total effect");
        browser.untilText(panel + " .hint", "Of the 10 with the largest scores in each layer; a sweep measures");
    }

    @Test
    void motionIsReduced() {
        open("");
        browser.reduceMotion(true);
        try {
            assertThat(browser.script("""
                    const asked = [];
                    Element.prototype.scrollIntoView = options => asked.push(options.behavior);
                    document.querySelector('.index button').click();
                    return asked;""")).isEqualTo(List.of("instant"));
        } finally {
            browser.reduceMotion(false);
        }
    }

    @Test
    void aLinkNamesItsModelAndSaysWhereItIsAnother() {
        open("");
        var own = "model=sample%40" + server.debugger.model().fingerprint().substring(0, 8);
        browser.until("in the link", () -> browser.address().endsWith(own));
        browser.open(LINK + "&" + own);
        browser.find(".outcome");
        assertThat(browser.all("[role=alert]")).isEmpty();
        browser.open(LINK + "&model=gpt2%4001234567");
        browser.untilText("[role=alert]", "This link was made with gpt2@01234567, and sample is loaded");
        browser.find(".chips [aria-pressed=true]").sendKeys(Keys.ARROW_LEFT);
        browser.until("kept", () -> browser.address().contains("position=6") && browser.address().contains("gpt2"));
        browser.settle();
        browser.screenshots("other-model");
        browser.click("Use it with sample");
        browser.until("its own", () -> browser.address().endsWith(own) && browser.all("[role=alert]").isEmpty());
    }

    @Test
    void aMalformedLinkHasAMessage() {
        browser.open("#/value/%E0%A4%A");
        browser.untilText(".problem", "value vector: %E0%A4%A");
    }

    private String main() {
        return browser.find("main").getText();
    }

    @Test
    void interventionsAreDisabledDuplicatedAndDeleted() {
        open("&edit=L1D483%3D0&edit=-L0D95%3D6");
        assertShowsEdited(Intervention.parse("L1D483=0"));
        browser.find(".edit:nth-child(2) .switch input").sendKeys(Keys.SPACE);
        browser.until("both in force", () -> browser.address().contains("edit=L0D95%3D6"));
        assertShowsEdited(Intervention.parse("L1D483=0", "L0D95=6"));
        browser.click("Duplicate L0D95");
        browser.until("three", () -> browser.all(".edit").size() == 3);
        browser.type(".edit:nth-child(3) .where", "7", Keys.ENTER);
        browser.until("in the link", () -> browser.address().contains("L0D95%3D6%407"));
        browser.click("Delete L1D483");
        browser.until("two", () -> browser.all(".edit").size() == 2);
        browser.click("Clear");
        browser.until("none", () -> browser.all(".edit, .predictions.both").isEmpty());
        browser.settle();
        assertShows(server.debugger.trace(TestServer.PROMPT).position(-1), "td.clean");
    }

    @Test
    void lmDebuggersOwnSemantics() {
        open("&edit=L1D483%3D0");
        browser.find(".check input").click();
        browser.find(".edit .segments");
        assertShowsEdited(Intervention.parse(Mode.LM_DEBUGGER, List.of("L1D483=off")));
        browser.click("on");
        browser.until("in the link",
                () -> browser.address().contains("mode=lm-debugger") && browser.address().contains("L1D483%3Don"));
        assertShowsEdited(Intervention.parse(Mode.LM_DEBUGGER, List.of("L1D483=on")));
        browser.screenshots("lm-debugger");

        open("&mode=lm-debugger&edit=L1D483*%3D5");
        browser.untilText(".edit", "L1D483*=5 is neither on nor off");
        browser.settle();
        assertThat(browser.all(".predictions.both")).isEmpty();
        browser.find(".check input").click();
        assertShowsEdited(Intervention.parse("L1D483*=5"));
    }

    @Test
    void lmDebuggersSwitchesAmongOtherEdits() {
        open("&edit=L1D483%3Don%40last&edit=L2D253%3D3");
        assertShowsEdited(Intervention.parse("L1D483=on@last", "L2D253=3"));
        assertThat(browser.all(".edit input.number")).hasSize(1);
        new Select(browser.find(".edit select")).selectByValue("off");
        browser.until("in the link", () -> browser.address().contains("L1D483%3Doff%40last"));
        assertShowsEdited(Intervention.parse("L1D483=off@last", "L2D253=3"));
    }

    @Test
    void whatIsWrongIsSaid() {
        open("");
        browser.type(".add input", "L1X5", Keys.ENTER);
        browser.untilText(".interventions .problem", "Not an intervention. Expected: L12D34");
        browser.type(".add input", "L99D0=1", Keys.ENTER);
        browser.untilText(".problem", "expected");
        browser.screenshots("error");
        browser.click("Delete L99D0");
        browser.until("well again", () -> browser.all(".problem").isEmpty() && !browser.all(".outcome").isEmpty());
        browser.type("#prompt", "word ".repeat(140));
        browser.until("tokens", () -> browser.all(".chips .chip").size() > 128);
        browser.type("#prompt", "word ".repeat(140), Keys.ENTER);
        browser.untilText(".problem", "at most 128");
        browser.open(LINK + "&edit=L1D483%3D0&edit=nonsense");
        browser.untilText(".problem", "Left out of the link: nonsense");
    }

    @Test
    void scriptInPromptAndLinkIsText() {
        var script = "<img src=x onerror=window.hacked=1><script>window.hacked=1</script>";
        browser.open("");
        browser.type("#prompt", script, Keys.ENTER);
        browser.find(".outcome");
        browser.settle();
        assertThat(String.join("", browser.texts(".chips .token"))).isEqualTo(visible(script));
        browser.open(
                "#/prediction?prompt=a&token=%3Cscript%3Ewindow.hacked%3D1%3C%2Fscript%3E&edit=%3Cscript%3Ewindow.hacked%3D1%3C%2Fscript%3E");
        browser.untilText(".problem", "<script>");
        assertThat(browser.script("return window.hacked")).isNull();
    }

    @Test
    void twoBrowsersDoNotAffectEachOther() {
        try (var other = Browser.open(server.address())) {
            other.open(LINK + "&edit=L3D492%3D9");
            open("&edit=L1D483%3D-6");
            other.find(".predictions.both");
            other.settle();
            assertShowsEdited(Intervention.parse("L1D483=-6"));
            var edited = server.debugger.trace(TestServer.PROMPT, Intervention.parse("L3D492=9")).editedPosition(-1)
                    .layers().getLast().after();
            assertThat(other.texts(".outcome .predictions tbody tr:not(.left) td:nth-of-type(3)"))
                    .containsExactlyElementsOf(edited.stream().map(each -> percent(each.probability())).toList());
            assertThat(other.errors()).isEmpty();
        }
    }

    @Test
    void openingThePageTakesFewBytesOnce() {
        browser.driver.executeCdpCommand("Network.enable", Map.of());
        browser.driver.executeCdpCommand("Network.clearBrowserCache", Map.of());
        open("");
        browser.settle();
        assertThat(transferred()).as("bytes, with the trace").isBetween(100_000L, 300_000L);
        open("");
        browser.settle();
        assertThat(transferred()).as("bytes of the second time").isLessThan(40_000);
    }

    /** The bytes, headers included, that the document and all that it asked for took. */
    private long transferred() {
        return ((Number) browser.script("return performance.getEntries().filter(each => 'transferSize' in each)"
                + ".reduce((sum, each) => sum + each.transferSize, 0)")).longValue();
    }

    @Test
    void everythingCanBeReachedByKeyboardAndHasAName() {
        open("&edit=L1D483%3D-9&edit=-L0D95%3D6&token=%23682&heat=rank");
        browser.screenshots("edited-ranks");
        browser.tabFromTheStart();
        assertThat(browser.driver.switchTo().activeElement().getText()).isEqualTo("Skip to the content");
        browser.driver.switchTo().activeElement().sendKeys(Keys.TAB, Keys.TAB);
        var outline = browser.driver.switchTo().activeElement();
        assertThat(outline.findElement(By.xpath("ancestor::nav")).getDomAttribute("aria-label")).isEqualTo("Views");
        assertThat(outline.getCssValue("outline-style")).isEqualTo("solid");
    }

    @Test
    void severalTextsOfACorpusHaveAMean() {
        server.buildTales();
        open("&edit=L1D483%3Dresample%3Atales%40last");
        browser.untilText(".samples", "with one text of the corpus");
        assertThat(browser.all(".samples table")).isEmpty();
        browser.type("[aria-label='Texts of the corpus']", "8", Keys.TAB);
        browser.find(".samples table");
        var means = TestServer
                .json(server.post("/api/v1/trace",
                        """
                                {"prompt": "%s", "edits": ["L1D483=resample:tales@last"], "samples": 8}"""
                                .formatted(TestServer.PROMPT)))
                .get("samples");
        browser.untilText(".samples .edited.figure", "%s ± %s".formatted(
                percent(means.at("/tokens/0/edited/mean").floatValue()),
                percent(means.at("/tokens/0/edited/standard_error").floatValue())));
        browser.untilText(".samples tbody tr:last-child", " ± ");
        browser.until("in the link", () -> browser.address().contains("samples=8"));
        browser.screenshots("samples");
        browser.find(".chips .chip").click();
        browser.untilText(".samples", "at the last position only");
    }
}
