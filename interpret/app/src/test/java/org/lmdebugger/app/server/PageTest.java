package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.TestInstance;

/** A server and a browser for the tests of a view; whatever they do, the page reports no error and asks nobody else. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class PageTest {
    /** The prompt of {@link TestServer}, in a link. */
    static final String PROMPT = "prompt=Once+upon+a+time+there+was+a+little";

    /** What the browser reports of answers that are problems, such as the one that a test provokes. */
    static final String BAD_REQUEST = "the server responded with a status of 400";

    TestServer server;
    Browser browser;

    @BeforeAll
    void start() {
        server = new TestServer();
        browser = Browser.open(server.address());
    }

    @AfterEach
    void nothingWentWrong() {
        assertThat(browser.errors(BAD_REQUEST)).isEmpty();
        assertThat(browser.foreignRequests()).isEmpty();
    }

    @AfterAll
    void stop() {
        if (browser != null) {
            browser.close();
        }
        server.close();
    }
}
