package org.lmdebugger.hub;

/** A listener for the progress of a download, called on the downloading thread many times a second. */
@FunctionalInterface
public interface DownloadProgress {
    /** A listener that does nothing. */
    DownloadProgress NONE = (file, done, size) -> {};

    /**
     * Reports progress.
     *
     * @param file name of the file in the model
     * @param done its downloaded bytes, including those of an earlier run
     * @param size all its bytes; {@code done} reaches it unless the download fails
     */
    void report(String file, long done, long size);
}
