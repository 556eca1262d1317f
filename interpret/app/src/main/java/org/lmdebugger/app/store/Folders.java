package org.lmdebugger.app.store;

import java.nio.file.Path;
import java.util.stream.Stream;

/** The folders of a user's files without an option: those of the XDG Base Directory Specification. */
public final class Folders {
    private Folders() {
    }

    /** Returns the folder of saved names and experiments. */
    public static Path data() {
        return folder("XDG_DATA_HOME", Path.of(".local", "share"));
    }

    /** Returns the folder of cached results. */
    public static Path cache() {
        return folder("XDG_CACHE_HOME", Path.of(".cache"));
    }

    private static Path folder(String variable, Path below) {
        var base = System.getenv(variable);
        return (base == null || base.isBlank() ? home().resolve(below) : Path.of(base)).resolve("lmdebugger");
    }

    /** Returns {@code HOME}, else the home that the system has for this user. */
    private static Path home() {
        return Stream.of(System.getenv("HOME"), System.getProperty("user.home"))
                .filter(home -> home != null && !home.isBlank() && !home.equals("?")).findFirst().map(Path::of)
                .orElseThrow(() -> new IllegalArgumentException(
                        "HOME: not set, and this user has no home (expected: HOME, or XDG_CACHE_HOME and XDG_DATA_HOME)"));
    }
}
