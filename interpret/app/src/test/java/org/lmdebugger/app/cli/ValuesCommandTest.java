package org.lmdebugger.app.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code lmdebug values} as a user types it. */
class ValuesCommandTest {
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    private int values(String... arguments) {
        var all = new String[arguments.length + 1];
        all[0] = "values";
        System.arraycopy(arguments, 0, all, 1, arguments.length);
        return Main.commandLine().setOut(new PrintWriter(out, true)).setErr(new PrintWriter(err, true)).execute(all);
    }

    private JsonNode json() throws Exception {
        return new ObjectMapper().readTree(out.toString());
    }

    @Test
    void showsWhatAVectorSays() {
        assertThat(values("show", "L2D253", "--top", "3")).isZero();
        assertThat(out.toString().lines().toList()).hasSize(5).first().isEqualTo("L2D253");
        assertThat(out.toString()).contains("promotes", "suppresses", "haps", "shine");
    }

    @Test
    void showsItAsJson() throws Exception {
        assertThat(values("show", "L2D253", "--json")).isZero();
        var json = json();
        assertThat((Iterable<String>) json::fieldNames).containsExactly("layer", "neuron", "top", "bottom");
        assertThat(json.get("layer").asInt()).isEqualTo(2);
        assertThat(json.get("neuron").asInt()).isEqualTo(253);
        assertThat(json.get("top")).hasSize(50);
        assertThat((Iterable<String>) json.at("/top/0")::fieldNames).containsExactly("id", "token", "logit");
        assertThat(json.at("/top/0/token").asText()).isEqualTo("haps");
        assertThat(json.get("top").findValuesAsText("token")).anyMatch(token -> token.startsWith("Ġ"));
        assertThat(json.at("/bottom/0/logit").asDouble()).isLessThan(json.at("/bottom/49/logit").asDouble());
        out.getBuffer().setLength(0);
        assertThat(values("show", "L2D253", "--json", "--final-norm")).isZero();
        assertThat(json().at("/top/0/logit").asDouble()).isNotEqualTo(json.at("/top/0/logit").asDouble());
    }

    @Test
    void findsWhatPromotesATokenAndWhatSuppressesIt() throws Exception {
        assertThat(values("promote", " king", " queen", "--top", "4")).isZero();
        assertThat(out.toString().lines().toList()).hasSize(5)
                .allSatisfy(line -> assertThat(line.length()).isLessThanOrEqualTo(80));
        assertThat(out.toString()).contains("mean logit");
        out.getBuffer().setLength(0);
        assertThat(values("promote", " king", " queen", "--suppress", "--json", "--top", "4")).isZero();
        assertThat(json()).hasSize(4).allSatisfy(match -> assertThat(match.get("score").asDouble()).isNegative());
        assertThat((Iterable<String>) json().get(0)::fieldNames).containsExactly("layer", "neuron", "score");
    }

    @Test
    void findsSimilarVectors() throws Exception {
        assertThat(values("similar", "L2D253", "--json")).isZero();
        assertThat(json()).hasSize(10)
                .allSatisfy(match -> assertThat(match.get("score").asDouble()).isBetween(0.0, 1.0));
        assertThat(values("similar", "L2D253")).isZero();
        assertThat(out.toString()).contains("cosine");
    }

    @Test
    void findsVectorsByWords(@TempDir Path cache) throws Exception {
        assertThat(values("search", "King, queen", "--top", "3", "--cache", cache.toString())).isZero();
        assertThat(out.toString().lines().toList()).hasSize(4)
                .allSatisfy(line -> assertThat(line.length()).isLessThanOrEqualTo(80));
        assertThat(out.toString()).contains("matches; promotes", "␣King ␣Queen");
        out.getBuffer().setLength(0);
        assertThat(values("search", "King, queen", "--weigh", "--json", "--cache", cache.toString(), "--rebuild"))
                .isZero();
        assertThat((Iterable<String>) json()::fieldNames).containsExactly("terms", "results");
        assertThat(json().get("results")).hasSize(10);
        assertThat((Iterable<String>) json().at("/results/0")::fieldNames).containsExactly("layer", "neuron", "name",
                "score", "tokens");
        out.getBuffer().setLength(0);
        assertThat(values("search", "zzz", "--cache", cache.toString())).isZero();
        assertThat(out.toString()).startsWith("no value vector has any of these words among its tokens: zzz");
    }

    @Test
    void showsAVectorsCluster(@TempDir Path cache) throws Exception {
        assertThat(values("cluster", "L2D253", "--cache", cache.toString())).isZero();
        assertThat(out.toString()).contains("of 256 (complete linkage): ", "\nL2D253 ").hasLineCount(16);
        out.getBuffer().setLength(0);
        assertThat(values("cluster", "L2D253", "--json", "--clusters", "40", "--cache", cache.toString())).isZero();
        var json = json();
        assertThat(json.get("clusters").asInt()).isEqualTo(40);
        assertThat(json.get("tokens")).hasSize(30);
        out.getBuffer().setLength(0);
        assertThat(values("cluster", json.get("label").asText(), "--json", "--clusters", "40", "--cache",
                cache.toString())).isZero();
        assertThat(json()).isEqualTo(json);
    }

    @Test
    void names(@TempDir Path data) throws Exception {
        var folder = data.toString();
        assertThat(values("name", "L2D253", "--data", folder)).isZero();
        assertThat(values("name", "L2D253", "all good things", "--data", folder)).isZero();
        assertThat(values("name", "L2D253", "--data", folder)).isZero();
        assertThat(values("names", "--data", folder)).isZero();
        assertThat(out.toString().lines()).containsExactly("L2D253 has no name", "L2D253  all good things",
                "L2D253  all good things",
                "L2D253      all good things");
        out.getBuffer().setLength(0);
        assertThat(values("show", "L2D253", "--data", folder, "--top", "1")).isZero();
        assertThat(values("similar", "L1D555", "--data", folder, "--top", "1")).isZero();
        assertThat(out.toString()).contains("L2D253  all good things", "[all good things] haps");
        out.getBuffer().setLength(0);
        assertThat(Main.commandLine().setOut(new PrintWriter(out, true)).execute("trace",
                "Once upon a time there was a little", "--data", folder)).isZero();
        assertThat(Main.commandLine().setOut(new PrintWriter(out, true)).execute("sweep", "Once upon a time",
                "--neurons", "L2D253",
                "--data", folder)).isZero();
        assertThat(out.toString()).contains("  named  L2D253 [all good things]", " [all good things] haps");
        out.getBuffer().setLength(0);
        assertThat(values("names", "--json", "--data", folder)).isZero();
        assertThat(json().toString())
                .isEqualTo("{\"names\":[{\"layer\":2,\"neuron\":253,\"name\":\"all good things\"}]}");
        out.getBuffer().setLength(0);
        assertThat(values("name", "L2D253", "--remove", "--json", "--data", folder)).isZero();
        assertThat(json().get("name").isNull()).isTrue();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            show 12|value vector: 12 (expected: a layer and a neuron, as in L12D345)
            show L4D0|value vector: L4D0 (expected: L0 to L3 and D0 to D767 in this model)
            show L0D768|value vector: L0D768 (expected: L0 to L3 and D0 to D767 in this model)
            show L0D0 --top 0|k: 0 (expected: 1 to 8192)
            promote boyhoods|(expected: one token, but it is
            promote king --top 5000|k: 5000 (expected: 1 to 3072)
            similar L9D9|value vector: L9D9
            search ,|words: none (expected: at least one; commas separate several)
            search king --top 0|--top: 0 (expected: 1 to 3072)
            cluster L9D9|value vector: L9D9
            cluster L0D0 --clusters 0|clusters: 0 (expected: 1 to 3072)
            cluster 256|cluster: 256 (expected: 0 to 255)
            name L9D9 x|value vector: L9D9
            name L0D0 x --remove|--remove: with a name (expected: one or the other)
            """)
    void whatCannotBeDoneIsSaidInALine(String arguments, String message) {
        assertThat(values(arguments.split(" "))).isEqualTo(1);
        assertThat(err.toString()).startsWith("lmdebug: ").contains(message).doesNotContain("\tat ");
        assertThat(out.toString()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"show", "promote", "search", "cluster", "name", "shows L1D2", "show L1D2 --top many"})
    void aWrongCommandLineIsSaidInALine(String arguments) {
        assertThat(values(arguments.split(" "))).isEqualTo(2);
        assertThat(err.toString()).startsWith("lmdebug: ").contains("--help").hasLineCount(1);
    }

    @ParameterizedTest
    @ValueSource(strings = {"--help", "show --help", "promote --help", "similar --help", "search --help",
            "cluster --help", "name --help", "names --help"})
    void help(String arguments) {
        assertThat(values(arguments.split(" "))).isZero();
        assertThat(out.toString()).contains("Usage: lmdebug values");
    }
}
