package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.openqa.selenium.By;
import org.openqa.selenium.Keys;

/** Value vectors: searched, looked at, named. */
@Tag("slow")
class ExplorePageTest extends PageTest {
    private static final String SCRIPT = "<script>window.hacked=1</script>";

    private static String label(JsonNode vector) {
        return "L%dD%d".formatted(vector.get("layer").intValue(), vector.get("neuron").intValue());
    }

    @Test
    void searchByWords() {
        browser.open("#/explore");
        browser.untilText(".empty", "Search for value vectors");
        browser.type("input[aria-label^=Words]", "girl, boy", Keys.ENTER);
        browser.find(".found li");
        browser.settle();
        var found = TestServer.json(server.get("/api/v1/search?words=girl,boy&top=20")).get("results");
        assertThat(browser.all(".found li")).hasSize(found.size());
        assertThat(browser.texts(".found li:first-child .neuron")).containsExactly(label(found.get(0)));
        assertThat(browser.texts(".found li:first-child .token.match")).isNotEmpty()
                .allMatch(token -> token.toLowerCase(Locale.ROOT).matches("␣?(girl|boy)s?"));
        assertThat(browser.address()).contains("words=girl%2C+boy");
        browser.screenshots("explore");
        browser.type("input[aria-label^=Words]", "qqqqq", Keys.ENTER);
        browser.untilText(".empty", "No value vector was found");
    }

    @Test
    void searchByTokens() {
        browser.open("#/explore");
        browser.type("input[aria-label=Token]", "girl", Keys.ENTER);
        browser.find(".found li");
        browser.type("input[aria-label=Token]", "boy", Keys.ENTER);
        browser.until("two tokens", () -> browser.texts(".searches .chip .token").equals(List.of("␣girl", "␣boy")));
        browser.click("that suppress");
        browser.until("in the link", () -> browser.address().contains("tokens=+girl&tokens=+boy&suppress=true"));
        browser.settle();
        var found = TestServer.json(server.get("/api/v1/search/tokens?token=%20girl&token=%20boy&suppress=true&top=20"))
                .get("results");
        browser.until("those that suppress",
                () -> browser.texts(".found .neuron").getFirst().equals(label(found.get(0))));
        browser.type("input[aria-label=Token]", "notatoken", Keys.ENTER);
        browser.untilText(".problem", "Not one token.");
        browser.click("Remove  girl");
        browser.until("one token", () -> browser.texts(".searches .chip .token").equals(List.of("␣boy")));
        browser.screenshots("explore-tokens");
    }

    @Test
    void aValueVectorsPageAndItsCluster() {
        browser.open("#/value/L1D483");
        browser.until("bars",
                () -> browser.all(".value-bars").size() == 2 && browser.all(".value-bars tbody tr").size() == 80);
        browser.until("similar ones", () -> browser.all("[aria-label=Similar] .found li").size() == 10);
        browser.find("[aria-label=Cluster] a");
        browser.settle();
        assertThat(browser.texts(".value-bars:first-of-type th").getFirst()).isEqualTo("␣ask");
        assertThat(browser.all(".cloud text")).hasSizeGreaterThan(20);
        browser.screenshots("value");
        browser.click("as after the final norm");
        browser.until("in the link", () -> browser.address().contains("reading=final-norm"));
        browser.find("[aria-label=Cluster] a").click();
        browser.find(".members .panel");
        browser.settle();
        assertThat(browser.texts("h1").getFirst()).startsWith("Cluster ");
        browser.screenshots("cluster");
    }

    @Test
    void aLinkOfLmDebuggersLeadsToTheValueVector() {
        browser.driver.get(server.address().resolve("/?L=2&D=253&visualize=true").toString());
        browser.untilText("h1", "L2D253");
        assertThat(browser.address()).startsWith(server.address() + "#/value/L2D253");
    }

    @Test
    void aNameIsSeenEverywhereAndIsText() {
        browser.open("#/value/L0D479");
        browser.type(".rename input", SCRIPT, Keys.ENTER);
        browser.untilText("h1 .name", SCRIPT);
        browser.open("#/prediction?" + PROMPT);
        browser.untilText(".layer .name", SCRIPT);
        browser.open("#/explore");
        browser.untilText(".named .name", SCRIPT);
        assertThat(browser.script("return window.hacked")).isNull();
        browser.open("#/value/L0D479");
        browser.untilText("h1 .name", SCRIPT);
        browser.type(".rename input", Keys.DELETE, Keys.ENTER);
        browser.until("no name", () -> browser.all("h1 .name").isEmpty());
    }

    @Test
    void aNeuronHasExamplesOfACorpus() {
        browser.open("#/value/L2D253");
        browser.named("Read “stories”");
        server.buildTales();
        browser.open("#/value/L2D253?" + PROMPT);
        browser.find(".examples-of li");
        browser.settle();
        var examples = TestServer.json(server.get("/api/v1/values/L2D253/examples?corpus=tales&top=5"));
        assertThat(browser.texts(".examples-of:first-of-type .figure").getFirst()).isEqualTo(String
                .format(Locale.ROOT, "%.2f", examples.at("/largest/0/coefficient").doubleValue()).replace('-', '−'));
        assertThat(browser.texts(".passage .at").getFirst()).isEqualTo(
                examples.at("/largest/0/tokens").get(examples.at("/largest/0/at").intValue()).textValue()
                        .replace(' ', '␣'));
        assertThat(browser.all(".activity .chip")).hasSize(8);
        browser.screenshots("examples");
        browser.open("#/prediction?" + PROMPT + "&edit=L2D253%3Dmean%3Astories");
        browser.untilText(".problem", "corpus: stories: not built for this model");
        browser.click("Read “stories”");
        browser.find(".predictions.both");
        assertThat(browser.all(".problem")).isEmpty();
        browser.until("no question", () -> !browser.texts(".interventions").getFirst().contains("has not been read"));
    }

    /** A character may be two units of JavaScript's texts. */
    @Test
    void aNameIsAsLongAsTheServerTakesIt() {
        var name = "\ud835\udcc1".repeat(100); // a letter of mathematics
        browser.open("#/value/L0D478");
        browser.type(".rename input", name, Keys.ENTER);
        browser.untilText("h1 .name", name);
        browser.type(".rename input", name + "a", Keys.ENTER);
        assertThat(browser.find(".rename input").getDomProperty("value")).isEqualTo(name);
        browser.type(".rename input", Keys.DELETE, Keys.ENTER);
        browser.until("no name", () -> browser.all("h1 .name").isEmpty());
    }

    @Test
    void aLabelIsOpenedInEitherCase() {
        browser.open("#/explore");
        browser.type("input[aria-label='Value vector']", "l2d253", Keys.ENTER);
        browser.untilText("h1", "L2D253");
    }

    @Test
    void detailsBesideThePrediction() {
        browser.open("#/prediction?" + PROMPT);
        browser.click("Details of L0D479");
        browser.until("bars", () -> browser.all(".drawer .value-bars tbody tr").size() == 40);
        browser.screenshots("details");
        browser.find(".drawer").findElement(By.cssSelector("button")).sendKeys(Keys.ESCAPE);
        browser.until("closed", () -> browser.all(".drawer").isEmpty());
        assertThat(browser.driver.switchTo().activeElement().getText()).as("focus is where it was").isEqualTo("L0D479");
    }

    @Test
    void whatIsNotThereIsSaid() {
        browser.open("#/value/L99D0");
        browser.untilText(".problem", "expected");
        browser.open("#/cluster/x");
        browser.untilText(".problem", "cluster: not a number");
    }
}
