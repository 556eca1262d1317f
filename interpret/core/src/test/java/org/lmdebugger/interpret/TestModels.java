package org.lmdebugger.interpret;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;
import org.lmdebugger.device.Device;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.ModelFiles;

/** The checkpoints that tests use, and what PyTorch computes with them. */
final class TestModels {
    private static final Path ROOT = root();

    private TestModels() {
    }

    private static Path root() {
        var path = Path.of("").toAbsolutePath();
        while (!Files.exists(path.resolve("lmdebug"))) {
            path = path.getParent();
        }
        return path;
    }

    /** "sample" is the project's own; "tarot" belongs to others and is only read where it lies. */
    static ModelFiles files(String name) {
        return new ModelFiles(name, name.equals("sample")
                ? ROOT.resolve("interpret/app/src/main/resources/org/lmdebugger/models/sample") : shared("models/" + name));
    }

    static Gpt2 load(String name, Device device) {
        return Gpt2.load(files(name), device);
    }

    static JsonNode golden(String name) {
        try {
            return new ObjectMapper().readTree((name.equals("sample")
                    ? ROOT.resolve("interpret/core/src/test/resources/golden/sample.json") : shared("golden/" + name + ".json")).toFile());
        } catch (IOException failure) {
            throw new AssertionError("golden/" + name + ".json", failure);
        }
    }

    /** A path beside the project; where it is not there, the test is skipped, or fails on the build server. */
    static Path shared(String path) {
        var found = ROOT.resolveSibling("shared").resolve(path);
        if (!Files.exists(found)) {
            if ("true".equals(System.getenv("CI"))) {
                throw new AssertionError(found + ": missing (expected on the build server)");
            }
            System.out.println("not run, as " + found + " is not there");
            Assumptions.abort(found + " is not there");
        }
        return found;
    }
}
