package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.lmdebugger.interpret.edit.Intervention;
import org.openqa.selenium.Keys;

/** Continuations as they come. */
@Tag("slow")
class GenerationPageTest extends PageTest {
    private static final String COUNTS = """
            window.counts = [];
            new MutationObserver(() => window.counts.push(document.querySelectorAll('.text.clean .generated').length))
                .observe(document.querySelector('main'), {subtree: true, childList: true});""";

    private String shown(String kind) {
        return (String) browser.script("return document.querySelector('.text.%s .prose').textContent".formatted(kind));
    }

    @Test
    void cleanAndEditedComeTokenByToken() {
        browser.open("#/generation?" + PROMPT + "&edit=L1D483%3D-9");
        browser.type("input[type=number][max]", "30", Keys.TAB);
        browser.script(COUNTS);
        browser.click("Generate");
        browser.untilText(".text.clean .hint", "30 tokens; as many as asked for");
        browser.settle();
        assertThat(shown("clean")).isEqualTo(server.debugger.generate(TestServer.PROMPT, 30).text());
        assertThat(shown("edited"))
                .isEqualTo(server.debugger.generate(TestServer.PROMPT, Intervention.parse("L1D483=-9"), 30).text());
        assertThat(browser.all(".generated.apart")).isNotEmpty();
        @SuppressWarnings("unchecked")
        var counts = (List<Object>) browser.script("return [...new Set(window.counts)]");
        assertThat(counts).as("numbers of tokens that were seen").hasSizeGreaterThan(3);
        assertThat(browser.address()).contains("length=30");
        browser.screenshots("generation");
    }

    @Test
    void samplingIsRepeatable() {
        browser.open("#/generation?" + PROMPT + "&temperature=1&seed=5&length=12");
        browser.click("Generate");
        browser.untilText(".text.clean .hint", "; ");
        browser.settle();
        var first = shown("clean");
        browser.type(".controls .field:last-of-type input", "6", Keys.TAB);
        browser.click("Generate");
        browser.until("another text", () -> browser.all("[aria-busy=true]").isEmpty() && !shown("clean").equals(first));
        browser.type(".controls .field:last-of-type input", "5", Keys.TAB);
        browser.click("Generate");
        browser.until("the first text",
                () -> browser.all("[aria-busy=true]").isEmpty() && shown("clean").equals(first));
    }

    @Test
    void itIsStoppedWhileItWaitsOrRuns() {
        var go = new CountDownLatch(1);
        try {
            server.server.queue().interactive(job -> hold(go));
            browser.open("#/generation?" + PROMPT);
            browser.click("Generate");
            browser.click("Stop");
            browser.untilText(".text.clean .hint", "0 tokens; stopped");
        } finally {
            go.countDown();
        }
        browser.click("Generate");
        browser.untilText(".text.clean .hint", "40 tokens");
    }

    static Void hold(CountDownLatch until) {
        try {
            until.await();
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        }
        return null;
    }

    @Test
    void whatIsTooLongIsSaid() {
        browser.open("#/generation?" + PROMPT + "&length=500");
        browser.click("Generate");
        browser.untilText(".problem", "expected");
        browser.screenshots("generation-error");
    }

    @Test
    void itSaysWhatToDo() {
        browser.open("#/generation");
        browser.untilText(".empty", "Write a prompt");
        browser.screenshots("generation-empty");
    }
}
