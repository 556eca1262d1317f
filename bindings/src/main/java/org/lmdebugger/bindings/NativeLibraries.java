package org.lmdebugger.bindings;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A loader of native libraries: from a path that a property names, else from a jar through a private directory. */
final class NativeLibraries {
    /** Names the directory for extraction instead of the temporary one, which may be mounted {@code noexec}. */
    static final String DIRECTORY = "lmdebugger.native.directory";

    private NativeLibraries() {
    }

    /** Loads the library at the path in the property {@code property}; there is no fallback. */
    static void loadFrom(String property) {
        var path = Path.of(System.getProperty(property)).toAbsolutePath();
        try {
            load(path);
        } catch (UnsatisfiedLinkError failure) {
            throw new NativeLibraryException("%s: %s (expected: a library that can be loaded; the linker's error: %s)"
                    .formatted(property, path, failure.getMessage()), failure);
        }
    }

    /**
     * Loads a library.
     *
     * @throws UnsatisfiedLinkError if it cannot be loaded, with the linker's reason
     */
    static void load(Path path) {
        try {
            System.load(path.toAbsolutePath().toString());
        } catch (IllegalCallerException failure) {
            throw accessDenied(failure);
        }
    }

    /**
     * Extracts {@code files} from the class path's {@code folder}, which ends in a slash, and loads them in order.
     *
     * @param artifact the artifact named in the message if the files are not on the class path
     * @param property the property that names a library to load instead
     */
    static void loadFromClassPath(String folder, List<String> files, String artifact, String property) {
        var directory = directory();
        var extracted = new ArrayList<Path>();
        try {
            for (var file : files) {
                extracted.add(extract(folder + file, directory.resolve(file), artifact, property));
            }
            for (var path : extracted) {
                load(path);
            }
        } catch (UnsatisfiedLinkError failure) {
            throw new NativeLibraryException(("%s: does not load from %s: %s (if that directory forbids execution, "
                    + "set -D%s to one that allows it; or set -D%s to an installed library)")
                            .formatted(files.getLast(), directory, failure.getMessage(), DIRECTORY, property),
                    failure);
        } finally {
            // The system keeps a loaded library's pages, so the files are no longer needed.
            extracted.forEach(NativeLibraries::deleteQuietly);
            deleteQuietly(directory);
        }
    }

    static boolean isOnClassPath(String resource) {
        return NativeLibraries.class.getClassLoader().getResource(resource) != null;
    }

    private static Path extract(String resource, Path to, String artifact, String property) {
        try (var from = NativeLibraries.class.getClassLoader().getResourceAsStream(resource)) {
            if (from == null) {
                throw new NativeLibraryException(("%s: not on the class path (expected: %s there, or -D%s to name an "
                        + "installed library)").formatted(resource, artifact, property), null);
            }
            Files.copy(from, to);
            return to;
        } catch (IOException failure) {
            throw new NativeLibraryException("%s: cannot be written (%s); set -D%s to a directory with room"
                    .formatted(to, failure, DIRECTORY), failure);
        }
    }

    private static Path directory() {
        var parent = Path.of(System.getProperty(DIRECTORY, System.getProperty("java.io.tmpdir")));
        try {
            return TemporaryFolders.create(parent);
        } catch (IOException failure) {
            throw new NativeLibraryException("%s: no directory can be made there (%s); set -D%s to one where it can"
                    .formatted(parent, failure, DIRECTORY), failure);
        }
    }

    private static void deleteQuietly(Path path) {
        try {
            Files.deleteIfExists(path);
        } catch (IOException failure) {
            path.toFile().deleteOnExit();
        }
    }

    static NativeLibraryException accessDenied(IllegalCallerException failure) {
        return new NativeLibraryException("native access: denied (expected: java --enable-native-access=ALL-UNNAMED, "
                + "or --enable-native-access=org.lmdebugger.bindings on the module path)", failure);
    }
}
