package org.lmdebugger.bindings;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** Where the libraries of CUDA 13 are looked for: research machines often have them in a Python environment alone. */
public final class CudaLibraries {
    /** Names the directory of the libraries; nothing else is searched then. */
    public static final String PATH = "lmdebugger.cuda.path";

    private static final List<String> LIBRARIES = List.of("libcudart.so.13", "libcublasLt.so.13", "libcublas.so.13");

    private CudaLibraries() {
    }

    /** Why the CUDA device {@code name} cannot be used here: everything that was tried. */
    public static NativeLibraryException unavailable(String name) {
        var tried = search(System.getProperty(PATH), System.getenv());
        return new NativeLibraryException("device: %s: not usable (expected: an NVIDIA GPU with CUDA 13; this version computes "
                .formatted(name) + "on the CPU: --device cpu); tried:%n  ".formatted()
                + String.join(System.lineSeparator() + "  ", tried), null);
    }

    /** One line for every place: which of the libraries are there. */
    static List<String> search(String path, Map<String, String> environment) {
        var lines = new ArrayList<String>();
        for (var directory : directories(path, environment)) {
            var missing = LIBRARIES.stream().filter(library -> !Files.exists(directory.resolve(library))).toList();
            lines.add(directory + ": " + (missing.isEmpty() ? "has CUDA 13's libraries" : "no " + String.join(", ", missing)));
        }
        return lines;
    }

    /** The places in the order in which they are searched. */
    static List<Path> directories(String path, Map<String, String> environment) {
        if (path != null) {
            return List.of(Path.of(path));
        }
        var directories = new ArrayList<Path>();
        Stream.of("CUDA_PATH", "CUDA_HOME").filter(environment::containsKey)
                .forEach(variable -> directories.add(Path.of(environment.get(variable), "lib64")));
        directories.add(Path.of("/usr/local/cuda/lib64"));
        Stream.of("VIRTUAL_ENV", "CONDA_PREFIX").filter(environment::containsKey)
                .forEach(variable -> directories.addAll(wheels(Path.of(environment.get(variable), "lib"))));
        return directories;
    }

    private static List<Path> wheels(Path lib) {
        try (var pythons = Files.newDirectoryStream(lib, "python3*")) {
            var directories = new ArrayList<Path>();
            pythons.forEach(python -> directories.add(python.resolve("site-packages/nvidia/cu13/lib")));
            return directories;
        } catch (NoSuchFileException | NotDirectoryException nothingThere) {
            return List.of(lib.resolve("python3/site-packages/nvidia/cu13/lib"));
        } catch (IOException failure) {
            throw new UncheckedIOException(lib + ": cannot be listed", failure);
        }
    }
}
