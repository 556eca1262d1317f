package org.lmdebugger.app;

/** The version of this program, which commands print, files record and the server reports. */
public final class Version {
    /** The version, such as {@code 1.2.3}. */
    public static final String NUMBER = "0.2.0";

    private Version() {
    }
}
