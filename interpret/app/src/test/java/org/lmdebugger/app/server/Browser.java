package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.openqa.selenium.By;
import org.openqa.selenium.JavascriptExecutor;
import org.openqa.selenium.Keys;
import org.openqa.selenium.StaleElementReferenceException;
import org.openqa.selenium.WebElement;
import org.openqa.selenium.chrome.ChromeDriver;
import org.openqa.selenium.chrome.ChromeDriverService;
import org.openqa.selenium.chrome.ChromeOptions;
import org.openqa.selenium.interactions.Actions;
import org.openqa.selenium.logging.LogEntry;
import org.openqa.selenium.logging.LogType;
import org.openqa.selenium.logging.LoggingPreferences;
import org.openqa.selenium.support.ui.WebDriverWait;

/** A headless Chromium that looks at the page of a {@link TestServer}. */
final class Browser implements AutoCloseable {
    private static final Path CHROMIUM = Path.of("/usr/bin/chromium");
    private static final Path DRIVER = Path.of("/usr/bin/chromedriver");
    private static final Path SCREENSHOTS = Path.of("target", "screenshots");
    private static final int WIDE = 1280;
    private static final int PHONE = 390;
    private static final Duration LONG = Duration.ofMinutes(3); // a bound for a busy machine alone

    private static final String AXE = resource("/axe.min.js");

    /** Lets axe, which reads the same few colours thousands of times, read each text of a colour once. */
    private static final String COLOURS = """
            const { prototype } = axe.commons.color.Color, { parseString } = prototype, known = new Map();
            prototype.parseString = function (text) {
                if (!known.has(text)) {
                    const { r, g, b, alpha } = parseString.call(this, text);
                    known.set(text, { r, g, b, alpha });
                }
                return Object.assign(this, known.get(text));
            };""";

    /**
     * Returns one line for each violation of a rule of axe: the rule, how much it matters, the element, and the reason. What
     * keeps the rules is not described, which takes long.
     */
    private static final String VIOLATIONS = """
            const done = arguments[0];
            axe.run({ resultTypes: ["violations"] }).then(({ violations }) => done(violations.flatMap(
                ({ id, impact, nodes }) => nodes.map(
                    ({ html, failureSummary }) => `${id} (${impact}): ${html} ${failureSummary}`))), done);""";

    static {
        Logger.getLogger("org.openqa.selenium").setLevel(Level.SEVERE); // that it knows no DevTools of this version is no news
    }

    final ChromeDriver driver;
    private final Path profile = TestServer.temporary();
    private final URI server;

    /** Skips the test, or fails it where tests must not be skipped, if there is no browser. */
    static Browser open(URI server) {
        boolean there = Files.isExecutable(CHROMIUM) && Files.isExecutable(DRIVER);
        if (!there && "true".equals(System.getenv("CI"))) {
            fail("no %s or no %s (expected with CI=true: Debian's packages chromium and chromium-driver)", CHROMIUM,
                    DRIVER);
        }
        Assumptions.assumeTrue(there,
                "The page is not tested: install Debian's packages chromium and chromium-driver.");
        return new Browser(server);
    }

    private Browser(URI server) {
        this.server = server;
        var logs = new LoggingPreferences();
        logs.enable(LogType.BROWSER, Level.ALL);
        logs.enable(LogType.PERFORMANCE, Level.ALL);
        var options = new ChromeOptions();
        options.setBinary(CHROMIUM.toFile());
        options.setCapability("goog:loggingPrefs", logs);
        options.addArguments("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic",
                "--disable-dev-shm-usage", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
                "--user-data-dir=" + profile);
        driver = new ChromeDriver(new ChromeDriverService.Builder().usingDriverExecutable(DRIVER.toFile())
                .usingAnyFreePort().withLogOutput(OutputStream.nullOutputStream()).build(), options);
        driver.manage().timeouts().scriptTimeout(LONG);
        size(WIDE, 900);
        driver.get("about:blank"); // instead of Chromium's own page
    }

    /** Opens a view as a link would. */
    void open(String hash) {
        driver.get("about:blank"); // else only the part after # would change
        driver.get(server + hash); // as it is, well formed or not
    }

    String address() {
        return driver.getCurrentUrl();
    }

    void until(String what, BooleanSupplier condition) {
        new WebDriverWait(driver, LONG, Duration.ofMillis(40))
                .ignoring(StaleElementReferenceException.class)
                .withMessage(() -> what + "; the page says:\n" + driver.findElement(By.tagName("body")).getText())
                .until(any -> condition.getAsBoolean());
    }

    /** Waits until there is at least one, and returns the first. */
    WebElement find(String css) {
        until(css, () -> !all(css).isEmpty());
        return all(css).getFirst();
    }

    /** Waits for a button or link of that name, which is what it says or its label for screen readers. */
    WebElement named(String name) {
        return find(
                By.xpath("//*[self::button or self::a][not(@disabled)][@aria-label='%1$s' or normalize-space(.)='%1$s']"
                        .formatted(name)));
    }

    private WebElement find(By by) {
        until(by.toString(), () -> !driver.findElements(by).isEmpty());
        return driver.findElement(by);
    }

    List<WebElement> all(String css) {
        return driver.findElements(By.cssSelector(css));
    }

    List<String> texts(String css) {
        return all(css).stream().map(WebElement::getText).toList();
    }

    void click(String name) {
        named(name).click();
    }

    void type(String css, CharSequence... text) {
        var field = find(css);
        field.sendKeys(Keys.chord(Keys.CONTROL, "a"));
        for (var each : text) {
            if (each.chars().anyMatch(unit -> Character.isSurrogate((char) unit))) { // not every driver has keys for it
                driver.executeCdpCommand("Input.insertText", Map.of("text", each.toString()));
            } else {
                field.sendKeys(each);
            }
        }
    }

    /** Moves the focus to the first element of the page that takes it. */
    void tabFromTheStart() {
        script("const start = document.createElement('span'); start.tabIndex = -1;"
                + "document.body.prepend(start); start.focus(); start.remove();");
        new Actions(driver).sendKeys(Keys.TAB).perform();
    }

    void untilText(String css, String text) {
        until(css + " says " + text, () -> texts(css).stream().anyMatch(each -> each.contains(text)));
    }

    /** Waits until nothing is being loaded. */
    void settle() {
        until("settled", () -> all("main [aria-busy=true]").isEmpty() && !all("main .view").isEmpty());
    }

    Object script(String script, Object... arguments) {
        return ((JavascriptExecutor) driver).executeScript(script, arguments);
    }

    void size(int width, int height) {
        driver.executeCdpCommand("Emulation.setDeviceMetricsOverride",
                Map.of("width", width, "height", height, "deviceScaleFactor", 1, "mobile", false));
    }

    private void scheme(String scheme) {
        driver.executeCdpCommand("Emulation.setEmulatedMedia", Map.of("features", scheme == null ? List.of()
                : List.of(Map.of("name", "prefers-color-scheme", "value", scheme))));
    }

    void reduceMotion(boolean reduced) {
        driver.executeCdpCommand("Emulation.setEmulatedMedia", Map.of("features", !reduced ? List.of()
                : List.of(Map.of("name", "prefers-reduced-motion", "value", "reduce"))));
    }

    /** The violations of WCAG 2 at level AA and of good practice that axe finds in what is shown. */
    private List<?> violations(String scheme) {
        scheme(scheme);
        if ((boolean) script("return window.axe === undefined")) {
            script(AXE + COLOURS);
        }
        return (List<?>) driver.executeAsyncScript(VIOLATIONS);
    }

    private static String resource(String name) {
        try (var in = Browser.class.getResourceAsStream(name)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }

    /**
     * Keeps pictures of the whole page: light and dark, wide and on a phone. Nothing may be wider than the screen, and axe
     * finds no violation.
     */
    void screenshots(String name) {
        for (int width : new int[] {WIDE, PHONE}) {
            size(width, width == PHONE ? 844 : 900);
            size(width, ((Number) script("return document.documentElement.scrollHeight")).intValue());
            driver.executeAsyncScript(
                    "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(done));");
            for (var scheme : List.of("light", "dark")) {
                assertThat(violations(scheme)).as("%s at %d pixels, %s".formatted(name, width, scheme)).isEmpty();
                picture("%s-%d-%s.png".formatted(name, width, scheme));
            }
            assertThat(script("return document.documentElement.scrollWidth")).as(name + " at " + width + " pixels")
                    .isEqualTo((long) width);
        }
        scheme(null);
        size(WIDE, 900);
    }

    private void picture(String file) {
        try {
            Files.createDirectories(SCREENSHOTS);
            var picture = driver.executeCdpCommand("Page.captureScreenshot", Map.of());
            Files.write(SCREENSHOTS.resolve(file), Base64.getDecoder().decode((String) picture.get("data")));
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }

    /** What went wrong in the page since it was last asked, without answers of the server that a test provoked. */
    List<String> errors(String... provoked) {
        return driver.manage().logs().get(LogType.BROWSER).getAll().stream()
                .filter(entry -> entry.getLevel().intValue() >= Level.WARNING.intValue())
                .map(LogEntry::getMessage).filter(message -> Stream.of(provoked).noneMatch(message::contains)).toList();
    }

    /** What the page asked for elsewhere than at its server. */
    List<String> foreignRequests() {
        return driver.manage().logs().get(LogType.PERFORMANCE).getAll().stream()
                .map(entry -> TestServer.json(entry.getMessage()).get("message"))
                .filter(message -> message.get("method").asText().equals("Network.requestWillBeSent"))
                .map(message -> message.at("/params/request/url").asText())
                .filter(url -> Stream.of(server.toString(), "data:", "about:", "chrome:", "chrome-untrusted:")
                        .noneMatch(url::startsWith))
                .toList();
    }

    @Override
    public void close() {
        driver.quit();
        delete(profile.toFile());
    }

    private static void delete(File file) {
        var inside = file.listFiles();
        if (inside != null) {
            Stream.of(inside).forEach(Browser::delete);
        }
        file.delete();
    }
}
