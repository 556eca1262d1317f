package org.lmdebugger.bindings;

/** A native library cannot be used; the message lists what was tried, why each failed, and what to do. */
public final class NativeLibraryException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    NativeLibraryException(String message, Throwable cause) {
        super(message, cause);
    }
}
