package org.lmdebugger.checkpoint;

import java.nio.charset.StandardCharsets;
import java.util.List;

/** SHA-256 over files as they were loaded, each with its length before it, computed once. Any thread may ask for it. */
public final class Fingerprint {
    private static final long PART = 1 << 26; // bytes

    private final List<LoadedFile> files;
    private String value;

    public Fingerprint(List<LoadedFile> files) {
        this.files = files;
    }

    public List<LoadedFile> files() {
        return files;
    }

    /**
     * Takes about a second for a gigabyte, the first time.
     *
     * @throws InvalidModelException if a mapped file was written over since it was loaded
     */
    public synchronized String value() {
        if (value == null) {
            var digest = Digests.sha256();
            for (var file : files) {
                file.requireSameBytes(); // touching what a file has lost may end the process
                long size = file.bytes().byteSize();
                digest.update((size + "\n").getBytes(StandardCharsets.US_ASCII));
                for (long at = 0; at < size; at += PART) {
                    digest.update(file.bytes().asSlice(at, Math.min(PART, size - at)).asByteBuffer());
                }
                file.requireSameBytes();
            }
            value = Digests.hex(digest);
        }
        return value;
    }
}
