package org.lmdebugger.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.lmdebugger.checkpoint.ModelFiles;
import org.lmdebugger.interpret.RandomCheckpoint;

/** Checkpoints of full-size shapes with random weights, made once; the peers read the same files. */
public final class Checkpoints {
    private Checkpoints() {
    }

    /** Makes the checkpoints named on the command line and prints where each lies. */
    public static void main(String[] shapes) throws IOException {
        for (var shape : shapes) {
            System.out.println(of(shape).directory().toAbsolutePath());
        }
    }

    static ModelFiles of(String shape) throws IOException {
        var checkpoint = switch (shape) {
            case "gpt2" -> RandomCheckpoint.GPT2;
            case "gpt2-medium" -> RandomCheckpoint.GPT2_MEDIUM;
            default -> throw new IllegalArgumentException("shape: " + shape + " (expected: gpt2 or gpt2-medium)");
        };
        var folder = Files.createDirectories(Path.of(System.getProperty("java.io.tmpdir"), "lmdebugger-bench"));
        var target = folder.resolve(shape);
        if (!Files.exists(target)) {
            var made = checkpoint.write(Files.createTempDirectory(folder, shape), 1);
            Files.move(made, target, StandardCopyOption.ATOMIC_MOVE);
        }
        return new ModelFiles(shape, target);
    }
}
