package org.lmdebugger.checkpoint;

import java.nio.charset.StandardCharsets;
import java.util.List;

/** A fingerprint: the SHA-256 over loaded files, each after its length, computed once. Any thread may use it. */
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
     * Returns the SHA-256 in hexadecimal. The first call takes about a second for a gigabyte.
     *
     * @throws InvalidModelException if a mapped file was overwritten since it was loaded
     */
    public synchronized String value() {
        if (value == null) {
            var digest = Digests.sha256();
            for (var file : files) {
                file.requireSameBytes(); // access beyond a truncated end may end the process
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
