package org.lmdebugger.checkpoint;

/** A model's files are missing, damaged or of another kind; the message names the file, what was found and expected. */
public final class InvalidModelException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public InvalidModelException(String message) {
        super(message);
    }

    public InvalidModelException(String message, Throwable cause) {
        super(message, cause);
    }
}
