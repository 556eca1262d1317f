package org.lmdebugger.hub;

/** Hears how far a download is, from the thread that downloads, many times a second. */
@FunctionalInterface
public interface DownloadProgress {
    /** Tells nobody. */
    DownloadProgress NONE = (file, done, size) -> { };

    /**
     * @param file name of the file, as the model has it
     * @param done its bytes that are here, those of an earlier run among them
     * @param size all its bytes; {@code done} reaches it unless the download fails
     */
    void report(String file, long done, long size);
}
