package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Collections;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.NeuronSelection;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.Sweep;
import org.openqa.selenium.By;
import org.openqa.selenium.Keys;
import org.openqa.selenium.interactions.Actions;
import org.openqa.selenium.support.ui.Select;

/** Which neurons cause a prediction. */
@Tag("slow")
class SweepPageTest extends PageTest {
    @Test
    void fromChoiceToCauses() {
        browser.open("#/sweep?" + PROMPT);
        browser.untilText(".empty", "Start a sweep");
        browser.type(".measured", "girl", Keys.ENTER);
        browser.untilText(".sweep-form .chip", "logit:\"␣girl\"");
        browser.click("Start the sweep");
        browser.find(".causes tbody tr");
        browser.settle();
        assertThat(browser.all(".causes tbody tr")).hasSize(50);
        assertThat(browser.texts(".causes tbody tr:first-child > *").subList(0, 3))
                .containsExactly("L0D409", "␣liked ␣always ␣loved ␣also ␣never ␣a", "0.006323");
        browser.until("a map",
                () -> (long) browser.script("return document.querySelector('.sweep-map canvas').height") > 40);
        browser.screenshots("sweep");

        var path = "/api/v1/sweeps/" + browser.address().replaceFirst(".*[?&]sweep=", "").replaceFirst("&.*", "");
        assertThat(browser.named("Download CSV").getDomProperty("href")).endsWith(path + "/effects.csv");
        assertThat(server.get(path + "/effects.csv").body().lines()).hasSize(1 + 4 * 768);

        browser.click("logit:\" girl\"");
        browser.until("another order",
                () -> "descending".equals(browser.all(".causes thead th").get(3).getDomAttribute("aria-sort")));
        browser.settle();
        var strongest = TestServer.json(server.get(path + "/strongest?top=1&measure=logit:%22%20girl%22"))
                .at("/effects/0/edits/0").textValue();
        assertThat(browser.texts(".causes tbody tr:first-child th")).containsExactly(strongest.replaceFirst("=.*", ""));
        browser.click("lower it");
        browser.until("those that lower it", () -> browser.all(".causes .difference.for").isEmpty());
        assertThat(browser.all(".causes .difference.against")).hasSize(50);
        browser.click("all");
        browser.until("all again", () -> !browser.all(".causes .difference.for").isEmpty());
        browser.find(".causes tbody tr:first-child .icon").click();
        browser.until("an intervention", () -> browser.all(".edit").size() == 1);
        assertThat(browser.texts(".edit .neuron")).containsExactly(strongest.replaceFirst("=.*", ""));

        browser.type("[type=search]", "L2D3", Keys.ENTER);
        browser.untilText("h2", "The 1 strongest cause of “L2D3”");
        assertThat(browser.texts(".causes tbody th")).containsExactly("L2D3");
        browser.type("[type=search]", "LIKED", Keys.ENTER);
        browser.untilText("h2", "of “LIKED”");
        browser.untilText(".causes tbody tr:first-child", "L0D409");
        assertThat(browser.texts(".causes tbody .promotes")).allSatisfy(each -> assertThat(each).contains("liked"));
        browser.type("[type=search]", Keys.DELETE, Keys.ENTER);
        browser.until("all again", () -> browser.all(".causes tbody tr").size() == 50);
        browser.settle();

        var seen = browser.find("#main .causes").getText();
        browser.open(browser.address().replaceFirst("^[^#]*", ""));
        browser.find(".causes tbody tr");
        browser.settle();
        assertThat(browser.find("#main .causes").getText().lines().toList()).as("a link shows the sweep again")
                .hasSameSizeAs(seen.lines().toList());
    }

    @Test
    void aNeuronOfTheMapBecomesAnIntervention() {
        browser.open("#/sweep?" + PROMPT + "&neurons=L1D0-9&operation=scale%3A2");
        browser.click("Start the sweep");
        browser.find(".sweep-map canvas");
        new Select(browser.find("[aria-label='Operation']")).selectByValue("off"); // of the next sweep
        browser.untilText(".of", "asks for another");
        var canvas = browser.find(".sweep-map canvas");
        browser.settle();
        new Actions(browser.driver).moveToElement(canvas).click().perform(); // in the middle, where there is nothing
        var size = canvas.getSize();
        new Actions(browser.driver).moveToElement(canvas, 40 - size.getWidth() / 2, 42 - size.getHeight() / 2).click()
                .perform();
        browser.until("an intervention", () -> browser.all(".edit").size() == 1);
        assertThat(browser.texts(".edit .neuron").getFirst()).matches("L1D\\d");
        browser.until("in the link", () -> browser.address().matches(".*edit=L1D\\d\\*%3D2%40last.*"));
    }

    @Test
    void resultsAreOfTheirOwnPromptAndInterventions() {
        browser.open("#/sweep?" + PROMPT + "&neurons=L2D0-9&edit=L1D483%3D-9&edit=-L0D1%3D3");
        browser.untilText(".sweep-form", "on top of 1 intervention");
        browser.click("Start the sweep");
        browser.find(".causes tbody tr");
        browser.settle();
        browser.untilText(".of", "“Once upon a time there was a little”");
        browser.untilText(".of", "neurons L2D0-9, off at last, on top of L1D483=-9");
        assertThat(browser.all(".of .notice")).isEmpty();
        var kl = new ArrayList<Float>();
        server.debugger.sweep(Sweep.of(TestServer.PROMPT).neurons(NeuronSelection.parse("L2D0-9")).off()
                .base(Intervention.parse("L1D483=-9")).measure(Measure.kl()), effects -> {
                    effects.rows().forEach(row -> kl.add(row.value(Measure.kl())));
                    return true;
                });
        double largest = Collections.max(kl);
        assertThat(Double.parseDouble(browser.texts(".causes tbody tr:first-child .figure").getFirst()))
                .isCloseTo(largest, within(1e-3 * largest));

        browser.type("#prompt", "the weather is going to be");
        browser.untilText(".of", "asks for another");
        browser.untilText(".of", "“Once upon a time there was a little”");
        browser.until("in the link", () -> browser.address().contains("prompt=the+weather"));
        browser.open(browser.address().replaceFirst("^[^#]*", ""));
        browser.untilText(".of", "“Once upon a time there was a little”");
        browser.click("Take its settings");
        browser.until("its prompt", () -> browser.find("#prompt").getDomProperty("value").equals(TestServer.PROMPT));
        browser.until("no mark", () -> browser.all(".of .notice").isEmpty());

        browser.type("[list=choices]", "heads", Keys.TAB);
        browser.click("Start the sweep");
        browser.untilText(".of", "parts heads");
        browser.until("heads", () -> browser.all(".causes tbody tr").size() == 24);
        assertThat(browser.all(".sweep-map")).isEmpty();
        browser.find(".causes tbody tr:first-child .icon").click();
        browser.until("a head's intervention", () -> browser.address().matches(".*edit=L\\dH\\d%3D0%40last.*"));
    }

    @Test
    void itIsCancelled() {
        var planned = new CountDownLatch(1);
        var done = new CountDownLatch(1);
        var queue = server.server.queue();
        try {
            queue.interactive(job -> GenerationPageTest.hold(planned));
            browser.open("#/sweep?" + PROMPT);
            browser.until("an empty line", () -> queue.waiting().isEmpty());
            browser.click("Start the sweep");
            browser.until("its plan in the line", () -> queue.waiting().size() == 1);
            queue.interactive(job -> GenerationPageTest.hold(done)); // before the sweep itself
            planned.countDown();
            browser.untilText(".progress", "waits for its turn");
            browser.screenshots("sweep-waiting");
            browser.click("Cancel");
            browser.untilText(".empty", "Cancelled after 0 of 3,072 effects");
        } finally {
            planned.countDown();
            done.countDown();
        }
        assertThat(browser.all(".causes")).isEmpty();
    }

    @Test
    void whatIsWrongIsSaid() {
        browser.open("#/sweep?" + PROMPT + "&neurons=L9");
        browser.click("Start the sweep");
        browser.untilText(".problem", "expected: L0 to L3");
        browser.type(".measured", "notatoken", Keys.ENTER);
        browser.untilText(".sweep-form .problem", "Not one token.");
        browser.screenshots("sweep-error");
    }

    @Test
    void textsOfACorpusHaveMeansAndStandardErrors() {
        server.buildTales();
        browser.open("#/sweep?" + PROMPT + "&neurons=L1D0-9&operation=resample%3Atales&measures=logit%3A%22+girl%22");
        browser.type("[aria-label='Texts of the corpus']", "4", Keys.TAB);
        browser.click("Start the sweep");
        browser.untilText(".of", "resample:tales at last, means over 4 texts");
        browser.find(".causes tbody tr");
        browser.settle();
        var path = "/api/v1/sweeps/" + browser.address().replaceFirst(".*[?&]sweep=", "").replaceFirst("&.*", "");
        var effects = TestServer.json(server.get(path + "/strongest?top=10&measure=logit:%22%20girl%22"))
                .get("effects");
        assertThat(effects).hasSize(10);
        var errors = new ArrayList<Double>();
        for (int i = 0; i < 10; i++) {
            var shown = browser.all(".causes tbody tr").get(i).findElement(By.cssSelector(".figure")).getText();
            var numbers = shown.replace('−', '-').split(" ± |\\s*(?=[+±-])");
            assertThat(Double.parseDouble(numbers[0])).isCloseTo(effects.get(i).at("/values/0").doubleValue(),
                    within(0.0005001));
            errors.add(Double.parseDouble(numbers[1]));
            assertThat(errors.getLast()).as(shown).isCloseTo(effects.get(i).at("/standard_errors/0").doubleValue(),
                    within(0.0005001));
        }
        assertThat(Collections.max(errors)).isPositive();
        browser.screenshots("sweep-samples");
    }
}
