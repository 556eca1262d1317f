package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.Mode;
import org.lmdebugger.interpret.trace.Trace;
import org.lmdebugger.interpret.trace.TraceOptions;
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
        return token.replace(' ', '␣');
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
        assertThat(browser.address()).contains(PROMPT);
        browser.screenshots("prediction");
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
        browser.type("[aria-label='Token to follow']", "notatoken", Keys.ENTER);
        browser.untilText(".way .problem", "Not one token.");
    }

    @Test
    void anInterventionChangesThePredictionAndALinkReproducesIt() {
        open("");
        browser.click("Add L1D483 to the interventions");
        browser.find(".predictions.both");
        assertShowsEdited(Intervention.parse("L1D483=0"));
        browser.untilText(".edit .was", "is 3.10");

        var slider = browser.find(".edit input[type=range]");
        slider.sendKeys(Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ARROW_LEFT);
        var value = browser.find(".edit input[type=number]").getDomProperty("value");
        assertThat(Double.parseDouble(value)).isNegative();
        browser.until("in the link", () -> browser.address().contains("edit=L1D483%3D" + value));
        assertShowsEdited(Intervention.parse("L1D483=" + value));

        browser.type(".add input", "L2D253*=-1@last", Keys.ENTER);
        browser.until("two", () -> browser.all(".edit").size() == 2);
        assertShowsEdited(Intervention.parse("L1D483=" + value, "L2D253*=-1@last"));
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
    void textCanBeReadInLightAndDark() {
        open("&edit=L1D483%3D-9&edit=-L0D95%3D6&token=%23682&heat=rank");
        assertThat(browser.faintTexts()).isEmpty();
    }

    @Test
    void everythingCanBeReachedByKeyboardAndHasAName() {
        open("&edit=L1D483%3D0");
        var nameless = browser.all("button, a, input, select, textarea").stream().filter(WebElement::isDisplayed)
                .filter(element -> element.getAccessibleName().isBlank())
                .map(element -> element.getDomProperty("outerHTML")).toList();
        assertThat(nameless).isEmpty();
        browser.tabFromTheStart();
        assertThat(browser.driver.switchTo().activeElement().getText()).isEqualTo("Skip to the content");
        browser.driver.switchTo().activeElement().sendKeys(Keys.TAB, Keys.TAB);
        var outline = browser.driver.switchTo().activeElement();
        assertThat(outline.findElement(By.xpath("ancestor::nav")).getDomAttribute("aria-label")).isEqualTo("Views");
        assertThat(outline.getCssValue("outline-style")).isEqualTo("solid");
    }
}
