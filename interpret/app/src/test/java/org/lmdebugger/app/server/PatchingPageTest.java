package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.lmdebugger.interpret.edit.PartSelection;
import org.lmdebugger.interpret.patch.Grid;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.patch.Patching;
import org.openqa.selenium.Keys;
import org.openqa.selenium.interactions.Actions;

/** Activation patching as a user sees it. */
@Tag("slow")
class PatchingPageTest extends PageTest {
    private static final String GIRL = "Once upon a time there was a little girl named";
    private static final String BOY = "Once upon a time there was a little boy named";
    private static final String PAIR = "#/patching?prompt=" + BOY.replace(' ', '+') + "&other="
            + GIRL.replace(' ', '+');

    private Grid grid(String sites) {
        return server.debugger.patch(Pair.of(GIRL, BOY, " Lily", " Timmy"),
                Patching.denoise(PartSelection.Kind.valueOf(sites.toUpperCase(Locale.ROOT))));
    }

    private void patched() {
        browser.settle();
        browser.find(".patch-form .primary").click();
        browser.find(".strongest tbody tr");
        browser.settle();
    }

    @Test
    void aPairIsPatchedAndACellBecomesAnIntervention() {
        browser.open("#/patching");
        browser.untilText(".empty", "two prompts of equally many tokens");
        browser.click(GIRL + " / " + BOY);
        browser.until("tokens", () -> browser.all(".aligned li").size() == 10);
        assertThat(browser.texts(".aligned .differs")).containsExactly("␣girl\n␣boy\n8");
        browser.untilText(".strip", "␣Timmy");
        patched();
        browser.untilText(".of", "denoise: “%s” runs, with activations of “%s”".formatted(BOY, GIRL));
        browser.untilText(".of", "␣Lily − ␣Timmy: clean +4.444, corrupted −4.455");
        assertThat(browser.texts(".patch-grid h2")).containsExactly("pre", "attention", "ffn", "heads");
        assertThat(browser.texts(".strongest tbody tr").getFirst()).startsWith("L0.pre@8 ␣girl 1.000 +4.444 +8.899");

        var cell = grid("heads").cells().get(2 * 6 + 5).get(9);
        browser.untilText(".patch-grid[aria-label=heads] .readout",
                "L2H5@9 ␣named: normalised %s, logit difference %s (%s), KL %s"
                        .formatted(number("%.3f", cell.normalised()), number("%+.3f", cell.difference()),
                                number("%+.3f", cell.effect()), number("%.4f", cell.kl())));
        browser.screenshots("patching");

        browser.click("Patch L2H5@9");
        browser.until("in the link", () -> browser.address().contains("edit=L2H5%3Dfrom%3A%22Once+upon"));
        browser.untilText(".strip", "␣Lily");
        browser.untilText(".edit code", "L2H5=from:\"%s\"@9".formatted(GIRL));
        browser.untilText(".of", "without the interventions in force");
        browser.click("Remove L2H5@9 from the interventions");
        browser.until("none", () -> browser.all(".edit").isEmpty());
    }

    @Test
    void theMapIsReachedByMouseAndKeyboard() {
        browser.open(PAIR + "&sites=pre");
        patched();
        var canvas = browser.find(".patch-grid canvas");
        canvas.sendKeys(Keys.ARROW_RIGHT, Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_DOWN); // from L0.pre@8
        browser.untilText(".readout", "L3.pre@9 ␣named: normalised 0.988");
        assertThat(browser.all(".edit")).isEmpty();
        canvas.sendKeys(Keys.ARROW_RIGHT, Keys.ENTER); // at the edge already
        browser.untilText(".edit code", "L3.pre=from:\"%s\"@9".formatted(GIRL));
        var size = canvas.getSize();
        new Actions(browser.driver).moveToElement(canvas, size.getWidth() / 2 - 5, size.getHeight() / 2 - 5).perform();
        browser.untilText(".readout", "L3.pre@9");
        new Actions(browser.driver).moveToElement(canvas, size.getWidth() / 2 - 5, size.getHeight() / 2 - 30).click()
                .perform();
        browser.until("a second one", () -> browser.texts(".edit code")
                .equals(List.of("L3.pre=from:\"%s\"@9".formatted(GIRL), "L2.pre=from:\"%s\"@9".formatted(GIRL))));
    }

    @Test
    void settingsAreInTheLinkAndResultsAreOfTheirOwn() {
        browser.open(PAIR + "&direction=denoise&sites=heads&columns=all&number=effect");
        patched();
        assertThat(browser.texts(".segments [aria-pressed=true]")).containsExactly("denoise", "all at once",
                "logit difference");
        assertThat(browser.texts(".patch-form label:has(:checked)")).containsExactly("heads");
        browser.untilText(".patch-grid .readout", "L2H5: normalised ");
        browser.find(".patch-grid canvas").sendKeys(Keys.ARROW_LEFT); // layers × heads
        browser.untilText(".patch-grid .readout", "L2H4: ");
        browser.click("KL");
        browser.until("in the link", () -> browser.address().contains("number=kl"));

        browser.click("noise");
        browser.untilText(".of", "of other settings");
        assertThat(browser.all(".patch-grid .icon")).as("of another prompt").isEmpty();
        assertThat(browser.find("[aria-label='clean prompt']").getDomProperty("value")).isEqualTo(GIRL);
        browser.untilText(".strip", "␣Lily"); // now the clean prompt runs
        browser.type("[aria-label='The answer']", "girl", Keys.ENTER);
        browser.untilText(".patch-form .chip", "␣girl");
        patched();
        browser.untilText(".of", "noise: “%s” runs, with activations of “%s”".formatted(GIRL, BOY));
        browser.untilText(".of", "␣girl − ␣Timmy");
        browser.find(".of .share summary").click();
        assertThat(browser.all(".of .share input").stream().map(each -> each.getDomProperty("value")).skip(1).toList())
                .containsExactly(
                        "lmdebug patch '%s' '%s' --model 'sample' --answer ' girl' --sites heads --direction noise --at all"
                                .formatted(GIRL, BOY),
                        ("debugger.patch(Pair.completed(debugger.model(), Prompt.of(\"%s\"), Prompt.of(\"%s\"), "
                                + "List.of(Measure.Token.ofId(%d)), List.of()), List.of(new Patching(PartSelection.parse(\"heads\"), "
                                + "Direction.NOISE, Columns.ALL)), Progress.NONE)").formatted(GIRL, BOY,
                                        server.debugger.model().tokenizer().encode(" girl")[0]));
        browser.find(".of .share summary").click();
        browser.click("denoise");
        browser.click("Take their settings");
        browser.until("no mark", () -> browser.all(".of .notice").isEmpty());
        assertThat(browser.texts(".segments [aria-pressed=true]").getFirst()).isEqualTo("noise");
    }

    @Test
    void promptsOfDifferentLengthAreShownWhereTheyPart() {
        browser.open("#/patching?prompt=Tom+was+sad.+Then&other=Sara+was+very+sad.+Then");
        browser.untilText(".pair .notice", "6 tokens and 5, which differ from position 0 on (expected: equally many");
        assertThat(browser.texts(".aligned .differs").getLast()).isEqualTo("␣Then\n–\n5");
        browser.settle();
        browser.find(".patch-form .primary").click();
        browser.untilText(".notice[role=alert]", "pair: prompts of 6 and 5 tokens");
        browser.type("[aria-label='clean prompt']", "Tom was sad. Then", Keys.ENTER);
        browser.untilText(".pair .notice", "Both prompts are the same");
    }

    @Test
    void itIsCancelled() {
        var held = new CountDownLatch(1);
        var queue = server.server.queue();
        browser.open(PAIR);
        browser.settle();
        try {
            queue.interactive(job -> GenerationPageTest.hold(held));
            browser.find(".patch-form .primary").click();
            browser.untilText(".progress", "waits for its turn");
            browser.until("it waits", () -> queue.waiting().size() == 1);
            browser.click("Cancel");
            browser.untilText(".empty", "Cancelled.");
            browser.until("nothing waits", () -> queue.waiting().isEmpty());
        } finally {
            held.countDown();
        }
        patched();
        assertThat(browser.all(".patch-grid")).hasSize(4);
    }

    private static String number(String format, double value) {
        return String.format(Locale.ROOT, format, value).replace('-', '−');
    }
}
