package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;
import static org.junit.jupiter.api.DynamicContainer.dynamicContainer;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.lmdebugger.interpret.edit.Edit;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.edit.Positions;
import org.lmdebugger.text.Shown;

/** Unit tests of the page's modules without a view, run in the browser, and their agreement with the server's parsers. */
class PageModulesTest extends PageTest {
    /** Runs the body of an asynchronous function, to which {@code arguments[0]} is given. */
    private static final String ASYNCHRONOUS = """
            const done = arguments[arguments.length - 1];
            (async () => {%s
            })().then(done, failure => done({ failure: String(failure) }));""";

    /** Runs the cases of a file of tests; returns of each its name and how it failed, which is null if it passed. */
    private static final String CASES = """
            const cases = [];
            const test = (name, body) => cases.push([name, body]);
            const equal = (actual, expected, what = 'value') => {
                if (JSON.stringify(actual) !== JSON.stringify(expected)) {
                    throw new Error(`${what}: ${JSON.stringify(actual)} (expected: ${JSON.stringify(expected)})`);
                }
            };
            %s
            const results = [];
            for (const [name, body] of cases) {
                try {
                    await body();
                    results.push([name, null]);
                } catch (failure) {
                    results.push([name, failure.message]);
                }
            }
            return results;""";

    private static final String READ_EDITS = """
            const { editText, parseEdit } = await import('/edits.js');
            return arguments[0].map(parseEdit).map(edit => edit && editText(edit));""";

    private static final String READ_NEURONS = """
            const { label, parseNeuron } = await import('/edits.js');
            return arguments[0].map(parseNeuron).map(neuron => neuron && label(neuron));""";

    private static final String READ_POSITIONS = """
            const { isPositions } = await import('/edits.js');
            return arguments[0].map(text => isPositions(text) ? text : null);""";

    private static final List<String> NEURONS = List.of("L12D345", "L0D0", "L00012D0345", "L999999999D999999999",
            "L1234567890D0", "L0D1234567890", "l1d2", "L1d2", "l1D2", "L-1D2", "L+1D2", "L1.0D2", "L\u0661D2",
            "L\uff11D2", "\uff2c1D2", "L 1D2", "L1 D2", " L1D2 ", "\tL1D2\n", "\u00a0L1D2", "L1D2\u00a0", "L1D2\0",
            "L1", "D2", "L1D", "D2L1", "L1D2D3", "L1D2=", "", " ");

    private static final List<String> POSITIONS = List.of("all", "prompt", "generated", "last", "0", "3", "1,4", "2..5",
            "0,2..5", "2..5,0", "5..5", "5..2", "0,5..2", "10..9", "9..10", "007", "999999999", "1234567890",
            "0..1234567890", "1,1", "ALL", "Last", "all,3", "-1", "1.5", "1...3", "1..", "..3", "1,", ",1", "1,,2",
            "1, 4", " 3", "3 ", "3\n", "\u0663", "x", "", ",");

    private static final List<String> NUMBERS = List.of("0", "3.5", "-1.5", "+2", ".5", "5.", "-.5", ".", "1e-3", "1E3",
            "1.0E10", "1e+3", "1e", "e3", "3.4028235e38", "1e39", "-1e39", "1e400", "1e-400", "NaN", "Infinity",
            "-Infinity", "1f", "2d", "0x10", "0x1p3", "1_000", "1,5", "1 000", "--1", "+-1", "\u0661", "\u22121",
            "\u00001", "1\u0000", "x", "");

    private static final List<String> SWITCHES = List.of("on", "off", "On", "OFF", " on ", "on@last", "off @3", "on@",
            "on1", "offx", "\"on\"");

    private static final List<String> PROMPTS = List.of("\"a\"", "\"\"", "\"", "\"a", "a\"", "a", "'a'", " \"a\"",
            "\"a\" ", "\"a\"@last", "\"a\" @last", "\"a\"last", "\"a\"@", "\"a\"\"", "\"@3\"", "\"a\"@last\"",
            "\"a \"quoted\" @last prompt\"@prompt", "\"a\" \"b", "\"a\"@all\"b", "\"two\nlines\r\n\"", "\"\u2028\"",
            "\"\u00c7a va ? \u8a9e \ud83d\udc69\u200d\ud83d\udd2c\"", "\" a \"", "\"\\\"", "\"L1D2=0\"@3",
            "\u201ca\u201d");

    private static final List<String> CORPORA = List.of("stories", "a", "A-b_c.9", "007", "", ".a", "-a", "_a", " a",
            "a ",
            "a b", "\"a\"", "\u00e7a", "a/b", "a".repeat(64), "a".repeat(65), "a@last", "a @3", "a@", "a@5..2", "a#",
            "a#7",
            "a#007", "a#-1", "a #7", "a# 7", "a#1.5", "a#123456789012345678", "a#1234567890123456789", "a#7@last",
            "a#7 @2..5", "a@3#7", "a#7#8");

    private static final List<String> OTHERS = List.of("L1D2==0", "L1D2-=1", "L1D2/=2", "L1D2* =2", "L1D2:0",
            "L1D2=0 L1D3=0", "L1D2=0;L1D3=0", "=0", "L1D2=0@1@2", "L1D2@last", "L1D2=0last", "L1D2 = 3 @last ",
            "\tL1D2\n*=\r2\f@3", "L1D2=\u00a03", "L1D2\u00a0=3", "L1D2=3 @ last", "L1D2=3@\u00a0last");

    private static final List<String> EDITS = Stream.of(NEURONS.stream(), NEURONS.stream().map(text -> text + "=0"),
            combined(List.of("L1D2=3@", "L1D2=from:\"a\"@"), POSITIONS),
            combined(List.of("L1D2=", "L1D2*=", "L1D2+="), NUMBERS),
            combined(List.of("L1D2=", "L1D2= ", "L1D2*="), SWITCHES),
            combined(List.of("L1D2=mean:", "L1D2= mean-at:", "L1D2=resample:", "L1D2=Mean:", "L1D2*=mean:"), CORPORA),
            combined(List.of("L1D2=from:", "L1D2= from:", "L1D2=FROM:", "L1D2*=from:"), PROMPTS), OTHERS.stream())
            .flatMap(texts -> texts).filter(text -> !isNeuron(text)).toList();

    private static final List<String> STARTS = List.of("L1D2", "L1D2=", "L1D2*=", "L1D2+=", "L0D9 =", "L0D9=from:\"",
            "L0D9=mean:", "L0D9=resample:", " ", "");
    private static final List<String> PIECES = List.of("L1D2", "L1D2=3", "from:", "\"", "=", "on", "off", "*", "+", "@",
            "0", "12", "-1.5", ".", "e3", "E39", ",", "..", "all", "last", "mean:", "stories", "#", "L", "D", "l", " ",
            "\t", "\n", "\u00a0",
            "\u0661", "x", "\ud83d\ude42");

    private static Stream<String> combined(List<String> starts, List<String> ends) {
        return starts.stream().flatMap(start -> ends.stream().map(end -> start + end));
    }

    /** Whether this is a neuron alone, which the page takes for an edit and the server does not. */
    private static boolean isNeuron(String text) {
        return text.strip().matches("L\\d+D\\d+");
    }

    @TestFactory
    Stream<DynamicContainer> aModulePassesItsCases() {
        return Stream.of("edits", "text", "scale", "state", "export", "routes").map(module -> {
            var results = run(CASES.formatted(resource(module + ".test.js")), null);
            assertThat(results).isNotEmpty();
            return dynamicContainer(module + ".js", results.stream().map(result -> passed((List<?>) result)));
        });
    }

    private static DynamicTest passed(List<?> result) {
        var name = (String) result.get(0);
        return dynamicTest(name, () -> {
            if (result.get(1) != null) {
                fail("%s: %s", name, result.get(1));
            }
        });
    }

    @TestFactory
    Stream<DynamicTest> anEditIsReadAsTheServerReadsIt() {
        return agreement(EDITS, READ_EDITS, Edit::parse);
    }

    @TestFactory
    Stream<DynamicTest> aNeuronIsReadAsTheServerReadsIt() {
        return agreement(NEURONS, READ_NEURONS, Neuron::parse);
    }

    @TestFactory
    Stream<DynamicTest> positionsAreReadAsTheServerReadsThem() {
        return agreement(POSITIONS, READ_POSITIONS, Positions::parse);
    }

    /** The page's own text form of each text means the same to the server; the page refuses what the server refuses. */
    private <T> Stream<DynamicTest> agreement(List<String> texts, String readAll, Function<String, T> parser) {
        var read = run(readAll, texts);
        return IntStream.range(0, texts.size()).mapToObj(i -> {
            var name = '"' + Shown.of(texts.get(i)) + '"';
            return dynamicTest(name, () -> assertThat(parsed(parser, (String) read.get(i))).as(name)
                    .isEqualTo(parsed(parser, texts.get(i))));
        });
    }

    @Test
    void anyTextIsReadAsTheServerReadsIt() {
        var random = new Random(1);
        var texts = Stream.generate(() -> text(random)).filter(text -> !isNeuron(text)).distinct().limit(10_000)
                .toList();
        var read = run(READ_EDITS, texts);
        var edits = texts.stream().map(text -> parsed(Edit::parse, text)).toList();
        assertThat(edits.stream().filter(Objects::nonNull).count()).as("edits among the texts").isGreaterThan(100);
        assertThat(IntStream.range(0, texts.size())
                .filter(i -> !Objects.equals(edits.get(i), parsed(Edit::parse, (String) read.get(i))))
                .mapToObj(i -> "%s: %s (expected: %s)".formatted(Shown.of(texts.get(i)), read.get(i), edits.get(i))))
                        .isEmpty();
    }

    private static String text(Random random) {
        return STARTS.get(random.nextInt(STARTS.size()))
                + random.ints(random.nextInt(6), 0, PIECES.size()).mapToObj(PIECES::get).collect(Collectors.joining());
    }

    /** Null if it is refused. */
    private static <T> T parsed(Function<String, T> parser, String text) {
        try {
            return text == null ? null : parser.apply(text);
        } catch (IllegalArgumentException refused) {
            return null;
        }
    }

    /** Runs {@code body} in the page's document, under its policy, in which the page itself was not started. */
    private List<?> run(String body, Object argument) {
        disableScripts(true);
        browser.open("");
        disableScripts(false);
        var result = browser.driver.executeAsyncScript(ASYNCHRONOUS.formatted(body), argument);
        assertThat(result).isInstanceOf(List.class);
        return (List<?>) result;
    }

    private void disableScripts(boolean disabled) {
        browser.driver.executeCdpCommand("Emulation.setScriptExecutionDisabled", Map.of("value", disabled));
    }

    private static String resource(String name) {
        try (var stream = PageModulesTest.class.getResourceAsStream(name)) {
            return new String(stream.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }
}
