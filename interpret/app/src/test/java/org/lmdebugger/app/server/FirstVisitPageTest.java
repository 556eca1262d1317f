package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.sweep.Target;
import org.lmdebugger.interpret.trace.Attribution;
import org.lmdebugger.interpret.trace.AttributionOptions;
import org.lmdebugger.interpret.trace.Trace;
import org.lmdebugger.model.Prompt;
import org.lmdebugger.progress.Progress;
import org.openqa.selenium.Keys;

/** The first visit, which is offered once, and the keys of those who come again. */
@Tag("slow")
class FirstVisitPageTest extends PageTest {
    private static final String HEAD = "L2H0=0@last";

    @BeforeEach
    void asIfNeverThere() {
        browser.open("");
        browser.script("localStorage.clear()");
        browser.open("");
        browser.find(".empty");
    }

    private void press(CharSequence key) {
        browser.driver.switchTo().activeElement().sendKeys(key);
    }

    private String focused() {
        return browser.driver.switchTo().activeElement().getText();
    }

    private Attribution attribute(String... edits) {
        return server.debugger.attribute(Prompt.of(TestServer.PROMPT), Intervention.parse(edits),
                AttributionOptions.DEFAULT.target(Target.of(" girl", " boy")), Progress.NONE);
    }

    private static String percent(Trace.Position position, String token) {
        return position.layers().getLast().after().stream().filter(each -> each.token().equals(token))
                .map(each -> String.format(Locale.ROOT, "%.0f %%", 100 * each.probability())).findFirst().orElseThrow();
    }

    private void assertSays(String... numbers) {
        var text = browser.find(".guide p").getText();
        assertThat(List.of(numbers)).allSatisfy(number -> assertThat(text).contains(number));
        browser.settle();
    }

    @Test
    void oneFindingIsShownInFiveStepsWhoseNumbersAreTheModels() {
        var clean = server.debugger.trace(TestServer.PROMPT).position(-1);
        browser.click("Show me");
        browser.until("the first step has the focus", () -> focused().startsWith("1 of 5"));
        browser.untilText(".headline", "girl");
        assertSays("␣girl with " + percent(clean, " girl"), "␣boy with " + percent(clean, " boy"));
        browser.screenshots("first-visit");

        browser.click("Next");
        browser.until("the second", () -> focused().startsWith("2 of 5"));
        browser.untilText(".journey figcaption", "␣girl");
        for (int layer : new int[] {1, 2}) {
            assertThat(clean.layer(layer).after()).extracting(Trace.Prediction::token).startsWith(" boy", " girl");
        }
        assertThat(List.of(clean.layer(0), clean.layer(3)))
                .allSatisfy(layer -> assertThat(layer.after().getFirst().token()).isEqualTo(" girl"));

        browser.click("Next");
        browser.untilText(".attribution .sum th", "logit difference");
        var whole = attribute();
        var head = whole.heads().stream().filter(each -> each.component().toString().equals("L2H0")).findFirst()
                .orElseThrow();
        assertSays("is " + number(whole.logit()), "brings +" + number(head.direct()));

        browser.click("Next");
        browser.find(".attribution .sum .edited");
        var without = attribute(HEAD);
        assertSays("from " + number(whole.logit()) + " to " + number(without.logit()),
                "from " + percent(clean, " girl") + " to " + percent(server.debugger
                        .trace(TestServer.PROMPT, Intervention.parse(HEAD)).editedPosition(-1), " girl"));
        assertThat(browser.address()).contains("edit=L2H0%3D0%40last");

        browser.click("Next");
        browser.untilText(".attention-columns h2", "Head L2H0");
        assertThat(browser.find(".sources tbody tr").getText()).startsWith("␣little");
        browser.click("Back");
        browser.untilText(".guide h2", "4 of 5");
        browser.click("Next");
        browser.click("Done");
        assertThat(browser.all(".guide")).isEmpty();
        browser.open("");
        browser.untilText(".empty", "Write a prompt");
        browser.until("the model is there", () -> !browser.all(".model").isEmpty());
        assertThat(browser.all(".offer")).isEmpty();
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, "%.3f", value);
    }

    @Test
    void itIsDeclinedOrSkippedForGoodAndComesAgainOnlyIfAskedFor() {
        browser.click("No, thanks");
        browser.until("gone", () -> browser.all(".offer").isEmpty());
        browser.open("");
        browser.until("the model is there", () -> !browser.all(".model").isEmpty());
        assertThat(browser.all(".offer")).isEmpty();
        browser.find("body").sendKeys("?");
        browser.click("Show the first visit");
        browser.until("the first step has the focus", () -> focused().startsWith("1 of 5"));
        press(Keys.ESCAPE);
        browser.until("skipped", () -> browser.all(".guide").isEmpty());
        assertThat(browser.all("dialog[open]")).isEmpty();
    }

    @Test
    void singleKeysLeadThroughThePageUnlessTheyAreOff() {
        browser.open("#/prediction?" + PROMPT);
        browser.find(".layer");
        browser.settle();
        browser.find("body").sendKeys("]");
        browser.until("layer 1", () -> browser.address().contains("layer=1") && focused().contains("Layer 1"));
        press("c");
        browser.until("collapsed", () -> browser.all(".layer .columns").isEmpty());
        assertThat(browser.all(".fold[aria-expanded=false]")).hasSize(4);
        press("[");
        browser.until("layer 0 is open", () -> browser.all(".layer .columns").size() == 1
                && browser.all("#layer-0 .columns").size() == 1);
        browser.find("#layer-2 .fold").click();
        browser.until("and layer 2", () -> browser.all("#layer-2 .columns").size() == 1);
        browser.click("Collapse all");
        browser.click("Open all");
        browser.until("all open", () -> browser.all(".layer .columns").size() == 4);
        browser.find("body").sendKeys(",");
        browser.until("position 6", () -> browser.address().contains("position=6"));
        browser.settle();
        press("/");
        browser.until("the prompt", () -> "prompt".equals(
                browser.driver.switchTo().activeElement().getDomAttribute("id")));
        press("2");
        assertThat(browser.find("#prompt").getDomProperty("value")).isEqualTo(TestServer.PROMPT + "2");
        browser.find(".brand").sendKeys("2");
        browser.until("the second view", () -> browser.address().contains("#/step"));

        browser.find("body").sendKeys("?");
        browser.find("dialog[open] input[type=checkbox]").click();
        browser.screenshots("shortcuts");
        browser.find("dialog[open]").sendKeys(Keys.ESCAPE);
        browser.until("closed", () -> browser.all("dialog[open]").isEmpty());
        browser.find("body").sendKeys("1?");
        browser.open("#/step?" + PROMPT);
        browser.find(".ladder");
        browser.find("body").sendKeys("1?");
        assertThat(browser.all("dialog[open]")).isEmpty();
        assertThat(browser.address()).contains("#/step");
    }
}
