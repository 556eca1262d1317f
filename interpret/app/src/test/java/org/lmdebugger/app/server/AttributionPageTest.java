package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Locale;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.sweep.Target;
import org.lmdebugger.interpret.trace.AttributionOptions;
import org.lmdebugger.model.Prompt;
import org.lmdebugger.progress.Progress;
import org.openqa.selenium.By;
import org.openqa.selenium.Keys;
import org.openqa.selenium.WebElement;

/** The parts that a logit is made of, as a user sees them. */
@Tag("slow")
class AttributionPageTest extends PageTest {
    private static String signed(double value) {
        var text = String.format(Locale.ROOT, "%.3f", Math.abs(value));
        return (text.equals("0.000") ? "±" : value > 0 ? "+" : "−") + text;
    }

    private WebElement row(String name) {
        return browser.find(".attribution tbody").findElement(
                By.xpath("tr[translate(normalize-space(th), '▸▾ ', '')='%s']".formatted(name.replace(" ", ""))));
    }

    private String direct(String name) {
        return row(name).findElement(By.cssSelector(".figure")).getText();
    }

    @Test
    void aWaterfallAddsUpToTheLogitAndToTheDifferenceOfTwo() {
        browser.open("#/attribution?" + PROMPT);
        browser.find(".attribution tbody tr");
        browser.settle();
        var expected = server.debugger.attribute(Prompt.of(TestServer.PROMPT), Intervention.NONE,
                AttributionOptions.DEFAULT, Progress.NONE);
        assertThat(direct("logit")).isEqualTo(signed(expected.logit()));
        assertThat(browser.texts(".attribution .group th")).hasSize(1 + 2 * 4 + 1);
        double shown = browser.texts(".attribution .group .figure:nth-child(3)").stream()
                .mapToDouble(text -> Double.parseDouble(text.replace('−', '-').replace("±", ""))).sum();
        assertThat(shown).as("sum of rows, each rounded to a thousandth").isCloseTo(expected.logit(),
                within(0.01));

        row("L2 attention").findElement(By.tagName("button")).click();
        var head = expected.contributions().stream().filter(each -> each.component().toString().equals("L2H1"))
                .findFirst().orElseThrow();
        assertThat(direct("L2H1")).isEqualTo(signed(head.direct()));
        row("L1 FFN").findElement(By.tagName("button")).click();
        assertThat(browser.texts(".attribution .part th")).anyMatch(text -> text.matches("L1D\\d+"))
                .contains("other neurons of L1.ffn");
        browser.screenshots("attribution");

        browser.type("[aria-label='Second token']", "boy", Keys.ENTER);
        browser.untilText(".attribution .sum th", "logit difference");
        browser.settle();
        var difference = server.debugger.attribute(Prompt.of(TestServer.PROMPT), Intervention.NONE,
                AttributionOptions.DEFAULT.target(Target.of(" girl", " boy")), Progress.NONE);
        assertThat(direct("logit difference")).isEqualTo(signed(difference.logit()));
        browser.click("Switch off L2H1");
        browser.find(".attribution .sum .edited");
        browser.settle();
        var edited = server.debugger.attribute(Prompt.of(TestServer.PROMPT), Intervention.parse("L2H1=0@last"),
                AttributionOptions.DEFAULT.target(Target.of(" girl", " boy")), Progress.NONE);
        assertThat(browser.find(".attribution .sum .edited").getText()).isEqualTo(signed(edited.logit()));
        assertThat(browser.address()).contains("edit=L2H1%3D0%40last").contains("against=");
        browser.screenshots("attribution-edited");
    }
}
