package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Locale;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.lmdebugger.interpret.edit.Intervention;
import org.openqa.selenium.Keys;
import org.openqa.selenium.interactions.Actions;

/** Where heads look, as a user sees it. */
@Tag("slow")
class AttentionPageTest extends PageTest {
    private static String percent(float share) {
        double value = 100.0 * share;
        return value >= 99.95 && value < 100 ? ">99.9%"
                : value >= 10 ? String.format(Locale.ROOT, "%.1f%%", value)
                        : value >= 0.01 ? String.format(Locale.ROOT, "%.2f%%", value) : "<0.01%";
    }

    @Test
    void aHeadIsReadSwitchedOffAndALinkIsKnockedOut() {
        browser.open("#/attention?" + PROMPT + "&layer=2&head=1");
        browser.find(".attended .chip");
        browser.settle();
        int length = 8;
        try (var run = server.debugger.run(TestServer.PROMPT, Intervention.NONE); var pattern = run.pattern(2)) {
            var weights = pattern.toFloats();
            assertThat(browser.texts(".attended sub").subList(0, length)).isEqualTo(IntStream
                    .range(0, length).mapToObj(key -> percent(weights[(length + 7) * length + key])).toList());
            browser.all(".attended .chip").get(3).sendKeys(Keys.SHIFT); // takes the focus
            browser.until("the row of position 3", () -> browser.texts(".attended sub").size() == 4);
            assertThat(browser.texts(".attended sub").getLast()).isEqualTo(percent(weights[(length + 3) * length + 3]));
        }
        assertThat(browser.all(".heads button")).hasSize(server.debugger.model().config().heads());
        var map = browser.find(".pattern.large");
        browser.script("arguments[0].scrollIntoView({ block: 'center', behavior: 'instant' })", map);
        new Actions(browser.driver).moveToElement(map, -map.getSize().getWidth() / 2 + 10,
                map.getSize().getHeight() / 2 - 10).perform();
        browser.untilText("[aria-label='Head L2H1'] > .hint", "␣little reads Once");
        browser.screenshots("attention");

        browser.click("Switch off L2H1");
        browser.until("in the link", () -> browser.address().contains("edit=L2H1%3D0%40last"));
        browser.untilText(".strip", "1 intervention");
        browser.untilText(".strip", "→");
        browser.click("Remove L2H1 from the interventions");
        browser.until("none", () -> browser.all(".edit").isEmpty());
        browser.find(".sources .icon").click();
        browser.until("in the link", () -> browser.address().matches(".*edit=L2H1\\.link%3Doff%407-%3E\\d.*"));
        browser.click("edited");
        browser.settle();
        var off = Integer.parseInt(browser.find(".edit code").getText().replaceFirst(".*>", ""));
        browser.until("the link is off", () -> browser.texts(".attended sub").get(off).equals("<0.01%"));
        browser.screenshots("attention-link");
    }

    @Test
    void aHeadIsPatchedFromAnotherPrompt() {
        browser.open("#/attention?" + PROMPT + "&layer=0&head=5");
        browser.settle();
        browser.type(".patch-from input", "My wife is working as a very old", Keys.ENTER);
        browser.click("Patch L0H5 from the other prompt");
        var text = "L0H5=from:\"My wife is working as a very old\"@last";
        browser.untilText(".edit code", text);
        var edited = server.debugger.trace(TestServer.PROMPT, Intervention.parse(text)).editedPosition(-1).layers()
                .getLast().after().getFirst();
        browser.untilText(".strip", percent(edited.probability()));
        browser.click("Patch L0H5.pattern from the other prompt");
        browser.until("both", () -> browser.all(".edit code").size() == 2);
        browser.click("Patch every part");
        browser.until("its view", () -> browser.address().contains("#/patching?prompt=Once"));
        browser.untilText(".aligned", "wife");
    }
}
