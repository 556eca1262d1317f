package org.lmdebugger.checkpoint;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;

/** Files that tests read and write. */
public final class TestFiles {
    private TestFiles() {
    }

    /** The project's own model. */
    public static Path sample() {
        return project("interpret/sample/src/main/resources/org/lmdebugger/models/sample");
    }

    /** A file of the project, by its path from the root. */
    public static Path project(String path) {
        var found = above(path);
        if (found == null) {
            throw new AssertionError(path + ": missing");
        }
        return found;
    }

    /** Other people's data, which lie beside the project; where they do not, the test is skipped, but not in CI. */
    public static Path shared(String path) {
        var found = above("shared/" + path);
        if (found == null) {
            if ("true".equals(System.getenv("CI"))) {
                throw new AssertionError("shared/" + path + ": missing (expected in CI)");
            }
            System.out.println("not run: shared/" + path + " is not here");
            Assumptions.abort("shared/" + path + " is not here");
        }
        return found;
    }

    private static Path above(String path) {
        for (var folder = Path.of("").toAbsolutePath(); folder != null; folder = folder.getParent()) {
            if (Files.exists(folder.resolve(path))) {
                return folder.resolve(path);
            }
        }
        return null;
    }

    public static Path write(Path file, String text) {
        return write(file, text.getBytes(StandardCharsets.UTF_8));
    }

    public static Path write(Path file, byte[] bytes) {
        try {
            Files.createDirectories(file.getParent());
            return Files.write(file, bytes);
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }

    /** A safetensors file: length of the header, header, data. */
    public static byte[] safetensors(String header, byte... data) {
        var json = header.getBytes(StandardCharsets.UTF_8);
        var bytes = new ByteArrayOutputStream();
        bytes.writeBytes(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(json.length).array());
        bytes.writeBytes(json);
        bytes.writeBytes(data);
        return bytes.toByteArray();
    }
}
