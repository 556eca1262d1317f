package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.URI;
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

    private static final String CONTRAST = """
            const pen = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
            const rgba = colour => {
                pen.clearRect(0, 0, 1, 1);
                pen.fillStyle = colour;
                pen.fillRect(0, 0, 1, 1);
                return [...pen.getImageData(0, 0, 1, 1).data].map(each => each / 255);
            };
            const over = (top, alpha, below) => below.map((each, i) => each * (1 - alpha) + top[i] * alpha);
            const light = ([r, g, b]) => [r, g, b].map(each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4)
                .reduce((sum, each, i) => sum + each * [0.2126, 0.7152, 0.0722][i], 0);
            const found = [];
            for (const element of document.querySelectorAll('body *')) {
                const text = [...element.childNodes].filter(node => node.nodeType === 3).map(node => node.data).join('').trim();
                if (!text || !element.checkVisibility() || element.closest('.unseen, :disabled, option, noscript, svg, .skip')) {
                    continue;
                }
                const ancestors = [];
                for (let each = element; each; each = each.parentElement) {
                    ancestors.unshift(getComputedStyle(each));
                }
                let behind = [1, 1, 1];
                let opacity = 1;
                for (const style of ancestors) {
                    opacity *= style.opacity;
                    const colour = rgba(style.backgroundColor);
                    behind = over(colour, colour[3], behind);
                }
                const style = ancestors.at(-1);
                const front = over(rgba(style.color), opacity, behind);
                const [more, less] = [light(front), light(behind)].sort((a, b) => b - a);
                const size = parseFloat(style.fontSize);
                const ratio = (more + 0.05) / (less + 0.05);
                if (ratio < (size >= 24 || size >= 18.66 && style.fontWeight >= 700 ? 3 : 4.5)) {
                    found.push(`${text.slice(0, 30)} (${element.className}): ${ratio.toFixed(2)}`);
                }
            }
            return [...new Set(found)];""";

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
        new WebDriverWait(driver, Duration.ofSeconds(30), Duration.ofMillis(40))
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

    /** Texts that stand out too little from what is behind them, by WCAG 2 at level AA, in light and dark. */
    List<?> faintTexts() {
        return Stream.of("light", "dark").flatMap(scheme -> {
            scheme(scheme);
            return ((List<?>) driver.executeScript(CONTRAST)).stream().map(text -> scheme + ": " + text);
        }).toList();
    }

    /** Keeps pictures of the whole page: light and dark, wide and on a phone. Nothing may be wider than the screen. */
    void screenshots(String name) {
        for (int width : new int[] {WIDE, PHONE}) {
            size(width, width == PHONE ? 844 : 900);
            size(width, ((Number) script("return document.documentElement.scrollHeight")).intValue());
            driver.executeAsyncScript(
                    "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(done));");
            for (var scheme : List.of("light", "dark")) {
                scheme(scheme);
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
