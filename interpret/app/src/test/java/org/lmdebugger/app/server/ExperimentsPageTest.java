package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is saved can be found again. */
@Tag("slow")
class ExperimentsPageTest extends PageTest {
    private static final String SCRIPT = "<script>window.hacked=1</script>";

    @Test
    void savedLoadedImportedAndDeleted(@TempDir Path folder) throws IOException {
        browser.open("#/experiments?" + PROMPT + "&edit=L1D483%3D0&position=3");
        browser.untilText(".empty", "Nothing is saved yet");
        browser.type("input[maxlength]", SCRIPT);
        browser.click("Save");
        browser.untilText(".experiments tbody th", SCRIPT);
        browser.screenshots("experiments");
        var saved = TestServer.json(server.get("/api/v1/experiments")).at("/experiments/0/id").textValue();
        var json = server.get("/api/v1/experiments/" + saved).body();
        assertThat(TestServer.json(json).at("/results/clean")).hasSize(10);
        assertThat(TestServer.json(json).at("/results/edited")).hasSize(10);

        browser.open("#/experiments");
        browser.click(SCRIPT);
        browser.find(".outcome");
        assertThat(browser.texts(".outcome h2")).containsExactly("After ␣time");
        assertThat(browser.texts(".edit .neuron")).containsExactly("L1D483");

        browser.open("#/experiments");
        browser.click("Delete " + SCRIPT);
        browser.untilText(".experiments .danger", "Really delete");
        browser.click("Delete " + SCRIPT);
        browser.untilText(".empty", "Nothing is saved yet");
        browser.find("input[type=file]")
                .sendKeys(Files.writeString(folder.resolve("saved.json"), json).toAbsolutePath().toString());
        browser.untilText(".experiments tbody th", SCRIPT);
        browser.find("input[type=file]")
                .sendKeys(Files.writeString(folder.resolve("wrong.json"), "nothing").toAbsolutePath().toString());
        browser.untilText(".problem", "wrong.json is not JSON");
        assertThat(browser.script("return window.hacked")).isNull();
    }

    /** A file that came from elsewhere keeps nobody from the others. */
    @Test
    void aDamagedFileIsShownAndDeleted() throws IOException {
        server.post("/api/v1/experiments", "{\"version\": 1, \"name\": \"beside\", \"prompt\": \"a\"}");
        var file = Files.writeString(server.options.data().resolve("experiments").resolve("from-elsewhere.json"),
                "{\"version\": 1, \"edits\": null}");
        browser.open("#/experiments");
        browser.untilText(".experiments tbody th", "beside");
        browser.untilText(".experiments .damaged", "This file is damaged: name: 0 characters");
        browser.click("Delete from-elsewhere");
        browser.untilText(".experiments .danger", "Really delete");
        browser.click("Delete from-elsewhere");
        browser.until("the damaged file is gone", () -> browser.all(".experiments .damaged").isEmpty());
        browser.untilText(".experiments tbody th", "beside");
        assertThat(file).doesNotExist();
    }

    @Test
    void aDamagedFileOfNamesIsSaidWhereNamesAre() throws IOException {
        var folder = Files.createDirectories(server.options.data().resolve("names"));
        var file = Files.writeString(folder.resolve(server.debugger.model().fingerprint() + ".json"), "");
        browser.open("#/explore");
        browser.untilText(".problem", "not a file of names");
        assertThat(browser.errors("the server responded with a status of 500")).isEmpty();
        Files.delete(file);
    }
}
