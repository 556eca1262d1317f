package org.lmdebugger.bindings;

/** A failure to use a native library; the message lists all attempts, why each failed, and a remedy. */
public final class NativeLibraryException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    NativeLibraryException(String message, Throwable cause) {
        super(message, cause);
    }
}
