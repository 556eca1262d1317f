package org.lmdebugger.app.server;

import io.javalin.http.Context;
import io.javalin.http.Cookie;
import io.javalin.http.SameSite;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Base64;
import java.util.function.Consumer;

/**
 * Who may come in: programs show the token in the header {@code Authorization}, browsers a cookie. A browser gets it by
 * a link that works once, so that neither history nor a proxy's log keeps anything of use.
 */
final class Tokens {
    private static final String COOKIE = "lmdebugger";
    private static final SecureRandom RANDOM = new SecureRandom();

    private final String token;
    private final Consumer<String> newLink;
    private final String session = random();
    private String key; // of the link; guarded by this

    /** @param newLink hears of each link, as a path, as soon as it works */
    Tokens(String token, Consumer<String> newLink) {
        this.token = token;
        this.newLink = newLink;
    }

    static String random() {
        var bytes = new byte[24];
        RANDOM.nextBytes(bytes);
        return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
    }

    synchronized void makeLink() {
        key = random();
        newLink.accept(Guard.LOGIN + "?key=" + key);
    }

    boolean areShownBy(Context context) {
        var header = context.header("Authorization");
        return header != null && header.startsWith("Bearer ") && equal(header.substring("Bearer ".length()), token)
                || equal(context.cookie(COOKIE), session);
    }

    /** Lets the browser in that opens the link. */
    synchronized void login(Context context) {
        if (!equal(context.queryParam("key"), key)) {
            throw Problem.refused("This link was used already, or is another server's. Open the one that lmdebug serve printed last.");
        }
        context.cookie(new Cookie(COOKIE, session, "/", -1, false, true, null, SameSite.STRICT));
        context.status(303).header("Location", "/");
        makeLink();
    }

    /** In a time that does not depend on what is equal. */
    private static boolean equal(String shown, String expected) {
        return shown != null && MessageDigest.isEqual(digest(shown), digest(expected));
    }

    private static byte[] digest(String text) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
        } catch (java.security.NoSuchAlgorithmException failure) {
            throw new AssertionError("every JDK has SHA-256", failure);
        }
    }
}
