package org.lmdebugger.app.store;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedSet;
import org.lmdebugger.app.Version;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.checkpoint.Digests;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.text.Shown;

/** The description of a directory's results, in the file {@value #NAME} of the directory. */
public final class Manifest {
    public static final String NAME = "manifest.json";
    /** The field that lists the number of effects in each of the directory's Parquet files. */
    public static final String CHUNKS = "chunks";

    private Manifest() {
    }

    /**
     * Returns all but the settings of the work that results depend on. {@code bits} is one fingerprint of all that their
     * bits depend on beside these settings.
     */
    public static Map<String, Object> of(Debugger debugger) {
        var model = debugger.model();
        var precision = model.device().precision().toString();
        var arithmetic = model.device().arithmetic();
        var bits = Digests.sha256();
        for (var each : List.of(Version.NUMBER, model.fingerprint(), precision, arithmetic)) {
            bits.update((each + "\n").getBytes(StandardCharsets.UTF_8));
        }
        return Json.object("version", Version.NUMBER, "model", model.files().name(), "fingerprint",
                model.fingerprint(), "arithmetic", arithmetic, "precision", precision, "bits", Digests.hex(bits));
    }

    /** Returns the hashes of corpora by their names. */
    public static Map<String, String> corpora(Debugger debugger, SortedSet<String> names) {
        var hashes = new LinkedHashMap<String, String>();
        names.forEach(name -> hashes.put(name, debugger.references().find(name).hash()));
        return hashes;
    }

    /** Checks that results fit a description. @throws IllegalArgumentException naming the first element that differs */
    public static void check(Object file, JsonNode found, JsonNode expected) {
        expected.properties().forEach(
                field -> check(file, field.getKey(), found.path(field.getKey()), field.getValue()));
    }

    /** Names the first element that differs, within lists and objects of equally many. */
    private static void check(Object file, String name, JsonNode found, JsonNode expected) {
        if (found.equals(expected)) {
            return;
        }
        if (found.size() == expected.size()) {
            for (int i = 0; expected.isArray() && i < expected.size(); i++) {
                check(file, name + "." + i, found.path(i), expected.path(i));
            }
            expected.properties().forEach(field -> check(file, name + "." + field.getKey(),
                    found.path(field.getKey()), field.getValue()));
        }
        throw new IllegalArgumentException(
                "%s: %s is %s (expected: %s; other results are not mixed with these, use another directory)".formatted(
                        file, name, Shown.of(found), Shown.of(expected)));
    }
}
