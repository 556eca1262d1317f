package org.lmdebugger.bindings;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.Stream;

/** One search for libraries, and the record of everything that it tried. */
final class CudaSearch {
    private static final String LINKER = "the dynamic linker (LD_LIBRARY_PATH, ldconfig)";

    private final boolean byName;
    private final Supplier<List<Path>> directories;
    private final Map<String, List<String>> without = new LinkedHashMap<>(); // place → libraries missing there
    private final List<String> tried = new ArrayList<>();
    private Path last; // the file that was loaded last

    /**
     * @param byName      whether the dynamic linker is asked first
     * @param directories supplies the directories searched after that; not called if the linker finds everything
     */
    CudaSearch(boolean byName, Supplier<List<Path>> directories) {
        this.byName = byName;
        this.directories = directories;
    }

    /** Returns the log of this search so far, a line for each place and library. */
    List<String> tried() {
        var lines = new ArrayList<String>();
        without.forEach((place, libraries) -> lines.add(place + ": no " + String.join(", ", libraries)));
        lines.addAll(tried);
        return lines;
    }

    /**
     * Loads the first library of that name that can be loaded and exports every function of the list.
     *
     * @param list the name of a committed list of symbols, or null if no function is called from here
     * @return whether one was loaded
     */
    boolean load(String soname, String list) {
        if (byName) {
            var known = knownToLinker(soname);
            if (known != null && load(known, list)) {
                return true;
            }
        }
        for (var directory : directories.get()) {
            var file = directory.resolve(soname);
            if (!Files.exists(file)) {
                without.computeIfAbsent(directory.toString(), place -> new ArrayList<>()).add(soname);
            } else if (load(file, list)) {
                return true;
            }
        }
        return false;
    }

    /** Loads a library that lies beside the one that was loaded last, if there is one of that name. */
    void loadNeighbour(String soname) {
        var file = last.resolveSibling(soname);
        if (Files.exists(file)) {
            load(file, null);
        }
    }

    private boolean load(Path file, String list) {
        var missing = missing(file, list);
        if (!missing.isEmpty()) {
            tried.add(file + ": lacks " + String.join(", ", missing));
            return false;
        }
        try {
            NativeLibraries.load(file);
            tried.add(file + ": loaded");
            last = file;
            return true;
        } catch (UnsatisfiedLinkError failure) {
            tried.add(file + ": does not load: " + failure.getMessage());
            return false;
        }
    }

    /**
     * Returns the functions of the list that a library lacks. It is opened for this by a lookup of its own, before
     * {@link NativeLibraries#load} makes it visible to the generated classes.
     */
    private static List<String> missing(Path file, String list) {
        if (list == null) {
            return List.of();
        }
        try {
            var symbols = SymbolLookup.libraryLookup(file, Arena.global());
            return functions(list).stream().filter(name -> symbols.find(name).isEmpty()).toList();
        } catch (IllegalCallerException denied) {
            throw NativeLibraries.accessDenied(denied);
        } catch (IllegalArgumentException doesNotOpen) {
            return List.of(); // the lookup hides the reason; loading the file reports it
        }
    }

    /** Returns the functions of a committed list. */
    static List<String> functions(String list) {
        try (var stream = CudaSearch.class.getResourceAsStream(list + ".includes");
                var lines = new BufferedReader(new InputStreamReader(stream, StandardCharsets.UTF_8))) {
            return lines.lines().map(line -> line.split(" ")).filter(line -> line[0].equals("--include-function"))
                    .map(line -> line[1]).toList();
        } catch (IOException failure) {
            throw new UncheckedIOException(list + ".includes: cannot be read from the jar of the bindings", failure);
        }
    }

    /**
     * Returns the file that the dynamic linker resolves a name to, or null. The linker has no query for this, so the
     * library is loaded and its path read from {@code /proc/self/maps}.
     */
    private Path knownToLinker(String soname) {
        try {
            SymbolLookup.libraryLookup(soname, Arena.global());
        } catch (IllegalCallerException denied) {
            throw NativeLibraries.accessDenied(denied);
        } catch (IllegalArgumentException unknown) {
            without.computeIfAbsent(LINKER, place -> new ArrayList<>()).add(soname);
            return null;
        }
        try (Stream<String> mappings = Files.lines(Path.of("/proc/self/maps"))) {
            return mappings.filter(line -> line.contains("/")).map(line -> Path.of(line.substring(line.indexOf('/'))))
                    .filter(path -> path.getFileName().toString().startsWith(soname)).findFirst().orElse(null);
        } catch (IOException failure) {
            tried.add("/proc/self/maps: cannot be read (" + failure.getMessage() + ")");
            return null;
        }
    }
}
