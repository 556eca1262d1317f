package org.lmdebugger.app.store;

import java.nio.file.Path;
import java.util.stream.Stream;

/** Where a user's files are, if no option says otherwise: as the XDG Base Directory Specification has it. */
public final class Folders {
    private Folders() {
    }

    /** What users save: names and experiments. */
    public static Path data() {
        return folder("XDG_DATA_HOME", Path.of(".local", "share"));
    }

    /** What can be computed again. */
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
