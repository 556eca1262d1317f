package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.openqa.selenium.Keys;

/** The walk up the layers: edits take part as they are reached. */
@Tag("slow")
class StepPageTest extends PageTest {
    private String outcome() {
        browser.settle();
        return browser.find(".outcome").getText();
    }

    @Test
    void editsTakePartAsTheirLayerIsReached() {
        browser.open("#/step?" + PROMPT + "&edit=L1D483%3D-9&edit=L3D492%3D9");
        browser.untilText(".layer h3", "Layer 0");
        browser.untilText(".walk .hint", "No edit so far; 2 edits above wait");
        var clean = outcome();
        assertThat(browser.all(".predictions.both")).isEmpty();
        browser.click("Layer above →");
        browser.untilText(".layer h3", "Layer 1");
        browser.untilText(".walk .hint", "1 edit so far; 1 edit above waits");
        browser.find(".predictions.both");
        var first = outcome();
        browser.screenshots("step");
        browser.find(".ladder li:nth-child(4) button").click();
        browser.untilText(".walk .hint", "2 edits so far");
        browser.until("the second edit", () -> !outcome().equals(first));
        assertThat(outcome()).isNotEqualTo(clean);
        assertThat(browser.address()).contains("layer=3");
    }

    @Test
    void whatDominatesIsEditedOnTheWay() {
        browser.open("#/step?" + PROMPT + "&layer=2");
        browser.untilText(".layer h3", "Layer 2");
        browser.find("button[aria-label='Add L2D253 to the interventions']").sendKeys(Keys.ENTER);
        browser.untilText(".walk .hint", "1 edit so far");
        browser.until("in the link", () -> browser.address().contains("edit=L2D253%3D0%40last"));
        browser.until("its row", () -> browser.texts(".dominant tr.left").stream()
                .anyMatch(row -> row.startsWith("L2D253") && row.contains("out")));
    }
}
