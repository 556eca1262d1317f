package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.lmdebugger.app.store.Processes;
import org.lmdebugger.checkpoint.TestFiles;
import org.openqa.selenium.WindowType;

/** Another model is chosen on the page, and what becomes of a page of the one before. */
@Tag("slow")
@Timeout(180)
class ModelsPageTest {
    private static final String CHANGED = "#/prediction?" + PageTest.PROMPT + "&edit=L1D483%3D0";

    /** The sample model with one number changed. */
    private static Path other(Path folder) throws IOException {
        var copy = Files.createDirectories(folder.resolve("other"));
        for (var name : List.of("config.json", "vocab.json", "merges.txt")) {
            Files.copy(TestFiles.sample().resolve(name), copy.resolve(name));
        }
        var weights = Files.readAllBytes(TestFiles.sample().resolve("model.safetensors"));
        weights[weights.length - 1] ^= 0x40;
        Files.write(copy.resolve("model.safetensors"), weights);
        return copy;
    }

    /** A model that is found, but cannot be loaded. */
    private static Path hubWithBroken(Path folder) {
        var snapshot = folder.resolve("hub/models--some--broken/snapshots/" + "0".repeat(40));
        TestFiles.write(folder.resolve("hub/models--some--broken/refs/main"), "0".repeat(40));
        TestFiles.write(snapshot.resolve("config.json"), "{\"model_type\": \"gpt2\"}");
        TestFiles.write(snapshot.resolve("model.safetensors"), new byte[] {1, 2, 3});
        TestFiles.write(snapshot.resolve("vocab.json"), "{}");
        TestFiles.write(snapshot.resolve("merges.txt"), "");
        return folder.resolve("hub");
    }

    private static String served(BufferedReader lines, String name) throws IOException {
        var line = lines.readLine();
        assertThat(line).startsWith(name + " on cpu: http://");
        return line.replaceFirst(".*(http://\\S+).*", "$1");
    }

    @Test
    void oneModelIsLoadedAtATimeAndNoPageShowsNumbersOfTwo(@TempDir Path folder) throws Exception {
        var process = Processes.serve(
                List.of("env", "HF_HUB_CACHE=" + hubWithBroken(folder), "HF_HUB_OFFLINE=1"), folder, "--model",
                other(folder).toString(), "--cache", folder.resolve("cache").toString());
        try (var lines = process.inputReader()) {
            var address = served(lines, "other");
            try (var browser = Browser.open(URI.create(address))) {
                browser.open(CHANGED);
                browser.find(".layer");
                browser.settle();
                var first = browser.driver.getWindowHandle();
                browser.driver.switchTo().newWindow(WindowType.TAB);
                browser.open(CHANGED);
                browser.find(".layer");
                browser.settle();

                browser.click("Model other; choose another");
                browser.untilText("dialog[open] li", "loaded");
                assertThat(browser.texts("dialog[open] li b")).contains("other", "sample", "some/broken");
                browser.screenshots("models");
                browser.click("Load some/broken");
                browser.untilText("dialog[open] .problem", "some/broken cannot be loaded: ");
                assertThat(served(lines, "other")).as("the one before, at the same address").isEqualTo(address);
                browser.click("Load sample");
                browser.untilText(".model", "sample");
                assertThat(served(lines, "sample")).isEqualTo(address);
                browser.find(".layer");
                browser.settle();
                assertThat(browser.address()).contains(PageTest.PROMPT).doesNotContain("edit=");
                browser.untilText(".headline", "48.0%");

                browser.driver.switchTo().window(first);
                browser.script("document.querySelectorAll('.chips .chip')[3].click()");
                browser.untilText(".problem", "sample is loaded now, not the one that this request is about");
                assertThat(browser.texts(".outcome h2")).as("no number of the new model").isEmpty();
                browser.click("Reload the page");
                browser.untilText(".model", "sample");
            }
        } finally {
            process.destroy();
            process.waitFor();
        }
    }
}
