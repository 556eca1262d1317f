package org.lmdebugger.app.store;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.List;
import java.util.Objects;

/**
 * A prompt, edits and their results, as they are in a file and in answers.
 *
 * @param version     of this form: {@value #VERSION}
 * @param saved       when, such as {@code 2026-01-31T12:00:00Z}
 * @param lmdebug     the version that saved it
 * @param fingerprint the model's
 * @param view        the state of the page that shows it again; any JSON, or null
 * @param results     any JSON, or null
 */
public record Experiment(int version, String id, String name, String saved, String lmdebug, String model,
        String fingerprint, String prompt, String mode, List<String> edits, JsonNode view, JsonNode results) {
    static final int VERSION = 1;

    private static final int NAME = 200; // characters
    private static final int EDITS = 32_768; // characters of all edits together

    /** An experiment without view and results. */
    public record Head(int version, String id, String name, String saved, String lmdebug, String model,
            String fingerprint, String prompt, String mode, List<String> edits) {
    }

    /** Returns this if it is complete and within bounds. @throws IllegalArgumentException naming the fault, else */
    public Experiment checked() {
        if (version != VERSION) {
            throw new IllegalArgumentException("version: %d (expected: %d)".formatted(version, VERSION));
        }
        checkLength("name", name, NAME);
        checkLength("lmdebug", lmdebug, NAME);
        checkLength("model", model, NAME);
        checkLength("fingerprint", fingerprint, NAME);
        checkEdits();
        checkTime();
        return this;
    }

    private static void checkLength(String what, String text, int most) {
        int length = Objects.requireNonNullElse(text, "").strip().length();
        if (length == 0 || length > most) {
            throw new IllegalArgumentException("%s: %d characters (expected: 1 to %d)".formatted(what, length, most));
        }
    }

    private void checkEdits() {
        if (edits == null || mode == null) {
            throw new IllegalArgumentException("edits or mode: missing (expected: both)");
        }
        if (edits.contains(null)) {
            throw new IllegalArgumentException("edits: null among them (expected: a value)");
        }
        int length = edits.stream().mapToInt(String::length).sum();
        if (length > EDITS) {
            throw new IllegalArgumentException("edits: %,d characters (expected: at most %,d)"
                    .formatted(length, EDITS));
        }
    }

    private void checkTime() {
        try {
            Instant.parse(Objects.requireNonNullElse(saved, ""));
        } catch (DateTimeException failure) {
            throw new IllegalArgumentException("saved: no time (expected: such as 2026-01-31T12:00:00Z)");
        }
    }

    /** Returns the same with the id of its file, whatever id the file has inside. */
    Experiment withId(String file) {
        return new Experiment(version, file, name, saved, lmdebug, model, fingerprint, prompt, mode, edits, view,
                results);
    }

    /** Returns the part that a list shows. */
    Head head() {
        return new Head(version, id, name, saved, lmdebug, model, fingerprint, prompt, mode, edits);
    }

    /** Returns the number of characters in a list, about. */
    int size() {
        return prompt.length() + edits.stream().mapToInt(String::length).sum();
    }
}
