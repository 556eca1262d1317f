package org.lmdebugger.checkpoint;

/** A failure to load a model whose files are missing, damaged or of another kind; the message names the file. */
public final class InvalidModelException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public InvalidModelException(String message) {
        super(message);
    }

    public InvalidModelException(String message, Throwable cause) {
        super(message, cause);
    }
}
