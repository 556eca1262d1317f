package org.lmdebugger.bindings;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** The directories searched for CUDA 13's libraries, which many machines have in a Python environment only. */
final class CudaPlaces {
    static final Path TOOLKIT = Path.of("/usr/local/cuda");

    private static final List<String> ASK_PYTHON = List.of("python3", "-c",
            "import site; print(*site.getsitepackages(), site.getusersitepackages(), sep='\\n')");

    private CudaPlaces() {
    }

    /**
     * Returns the directories in the order in which they are searched: toolkits, then wheels.
     *
     * @param environment  the variables of the process
     * @param toolkit      the directory in which CUDA is installed by default
     * @param sitePackages the directories of python3's packages
     */
    static List<Path> directories(Map<String, String> environment, Path toolkit, List<Path> sitePackages) {
        var directories = new ArrayList<Path>();
        Stream.concat(paths(environment, "CUDA_PATH", "CUDA_HOME"), Stream.of(toolkit))
                .forEach(root -> directories.addAll(List.of(root.resolve("lib64"), root.resolve("lib"))));
        paths(environment, "VIRTUAL_ENV").forEach(root -> directories.addAll(wheelsOf(root)));
        paths(environment, "CONDA_PREFIX").forEach(root -> {
            directories.add(root.resolve("lib")); // of conda's own packages of CUDA
            directories.addAll(wheelsOf(root));
        });
        sitePackages.forEach(site -> directories.addAll(wheels(site)));
        return directories.stream().distinct().toList();
    }

    /**
     * Returns the package directories of the {@code python3} on the search path, as printed by {@code command}.
     *
     * @param notes receives a line if the command fails
     */
    static List<Path> pythonSitePackages(List<String> command, Collection<String> notes) {
        try {
            var process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
            if (!process.waitFor(5, TimeUnit.SECONDS)) {
                process.destroyForcibly();
                notes.add(command.getFirst() + ": did not say where its packages are within 5 seconds");
                return List.of();
            }
            var lines = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).lines();
            return lines.filter(line -> line.startsWith("/")).map(Path::of).toList();
        } catch (IOException failure) {
            notes.add(command.getFirst() + ": cannot be asked where its packages are (" + failure.getMessage() + ")");
            return List.of();
        } catch (InterruptedException interruption) {
            Thread.currentThread().interrupt();
            notes.add(command.getFirst() + ": interrupted while it was asked where its packages are");
            return List.of();
        }
    }

    static List<Path> pythonSitePackages(Collection<String> notes) {
        return pythonSitePackages(ASK_PYTHON, notes);
    }

    private static Stream<Path> paths(Map<String, String> environment, String... variables) {
        return Stream.of(variables).map(variable -> environment.getOrDefault(variable, ""))
                .filter(value -> !value.isEmpty()).map(Path::of);
    }

    private static List<Path> wheelsOf(Path environment) {
        var lib = environment.resolve("lib");
        var pythons = list(lib, "python3*");
        return (pythons.isEmpty() ? Stream.of(lib.resolve("python3*")) : pythons.stream())
                .flatMap(python -> wheels(python.resolve("site-packages")).stream()).toList();
    }

    /** Returns the library directories of wheels: those of CUDA 13 share one, older ones had one each. */
    private static List<Path> wheels(Path site) {
        var nvidia = site.resolve("nvidia");
        return Stream.concat(Stream.of(nvidia.resolve("cu13")), list(nvidia, "*").stream())
                .map(wheel -> wheel.resolve("lib")).distinct().toList();
    }

    private static List<Path> list(Path directory, String glob) {
        try (var entries = Files.newDirectoryStream(directory, glob)) {
            var paths = new ArrayList<Path>();
            entries.forEach(paths::add);
            return paths.stream().filter(Files::isDirectory).sorted().toList();
        } catch (NoSuchFileException | NotDirectoryException nothingThere) {
            return List.of();
        } catch (IOException failure) {
            throw new NativeLibraryException(("%s: cannot be listed (%s); set -D%s to the directory of CUDA 13's "
                    + "libraries").formatted(directory, failure.getMessage(), CudaLibraries.PATH), failure);
        }
    }
}
