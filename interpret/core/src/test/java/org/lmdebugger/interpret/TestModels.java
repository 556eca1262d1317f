package org.lmdebugger.interpret;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import org.lmdebugger.checkpoint.ModelFiles;
import org.lmdebugger.checkpoint.TestFiles;
import org.lmdebugger.device.Device;
import org.lmdebugger.model.Gpt2;

/** The checkpoints that tests use, and what PyTorch computes with them. */
public final class TestModels {
    private TestModels() {
    }

    /** "sample" is the project's own; "tarot" belongs to others and is only read where it lies. */
    static ModelFiles files(String name) {
        return new ModelFiles(name, name.equals("sample") ? TestFiles.sample() : TestFiles.shared("models/" + name));
    }

    public static Gpt2 load(String name, Device device) {
        return Gpt2.load(files(name), device);
    }

    static JsonNode golden(String name) {
        return golden(name, name);
    }

    /** Returns what PyTorch computes for edits of every site. */
    static JsonNode goldenSites(String name) {
        return golden(name, "sites-" + name);
    }

    private static JsonNode golden(String name, String title) {
        var file = name.equals("sample")
                ? TestFiles.project("interpret/core/src/test/resources/golden/" + title + ".json")
                : TestFiles.shared("golden/" + title + ".json");
        try {
            return new ObjectMapper().readTree(file.toFile());
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }
}
