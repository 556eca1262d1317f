package org.lmdebugger.device;

/** A device has too little memory for an allocation or for the work of a call; smaller ones may succeed. */
public final class OutOfDeviceMemoryException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public OutOfDeviceMemoryException(String message, Throwable cause) {
        super(message, cause);
    }
}
