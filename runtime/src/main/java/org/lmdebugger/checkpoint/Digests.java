package org.lmdebugger.checkpoint;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** Checksums of files, in hexadecimal. */
public final class Digests {
    private Digests() {
    }

    public static MessageDigest sha256() {
        return digest("SHA-256");
    }

    /** Returns the SHA-256 of a file, by which Git LFS names it. */
    public static String sha256(Path file) throws IOException {
        return hex(update(sha256(), Files.newInputStream(file)));
    }

    /** Returns the SHA-1 over a length and the contents, by which Git names a file. */
    public static String gitBlob(Path file) throws IOException {
        var digest = digest("SHA-1");
        digest.update(("blob " + Files.size(file) + '\0').getBytes(StandardCharsets.US_ASCII));
        return hex(update(digest, Files.newInputStream(file)));
    }

    /** Adds all of {@code stream} to a digest and closes it. */
    public static MessageDigest update(MessageDigest digest, InputStream stream) throws IOException {
        try (var in = new DigestInputStream(stream, digest)) {
            in.transferTo(OutputStream.nullOutputStream());
        }
        return digest;
    }

    public static String hex(MessageDigest digest) {
        return HexFormat.of().formatHex(digest.digest());
    }

    private static MessageDigest digest(String algorithm) {
        try {
            return MessageDigest.getInstance(algorithm);
        } catch (NoSuchAlgorithmException failure) {
            throw new AssertionError("every JDK has " + algorithm, failure);
        }
    }
}
