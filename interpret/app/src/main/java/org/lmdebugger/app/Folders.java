package org.lmdebugger.app;

import java.nio.file.Path;

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
        return (base == null || base.isBlank() ? Path.of(System.getProperty("user.home")).resolve(below) : Path.of(base)).resolve("lmdebugger");
    }
}
