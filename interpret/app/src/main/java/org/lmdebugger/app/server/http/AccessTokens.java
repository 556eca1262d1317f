package org.lmdebugger.app.server.http;

import io.javalin.http.Context;
import io.javalin.http.Cookie;
import io.javalin.http.SameSite;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.Base64;
import java.util.function.Consumer;

/**
 * The secrets that let requests in: programs send the token in the header {@code Authorization}, browsers a cookie. A
 * browser gets the cookie by a link that works once, so that neither history nor a proxy's log keeps anything of use.
 */
public final class AccessTokens {
    private static final String SCHEME = "Bearer ";
    private static final long DELAY = 500; // milliseconds after a wrong token
    private static final SecureRandom RANDOM = new SecureRandom();

    private final String token;
    private final Consumer<String> newLink;
    private final String cookieValue;
    private String key; // of the link; guarded by this

    /**
     * @param cookieValue what browsers get that opened a link
     * @param newLink     takes each link, as a path, as soon as it works
     */
    public AccessTokens(String token, String cookieValue, Consumer<String> newLink) {
        this.token = token;
        this.cookieValue = cookieValue;
        this.newLink = newLink;
    }

    public static String random() {
        var bytes = new byte[24];
        RANDOM.nextBytes(bytes);
        return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
    }

    public synchronized void makeLink() {
        key = random();
        newLink.accept(Guard.LOGIN + "?key=" + key);
    }

    /** Returns whether a request has the token or the cookie. The answer to a wrong token is delayed. */
    boolean areShownBy(Context context) {
        var header = context.header("Authorization");
        if (header == null || !header.regionMatches(true, 0, SCHEME, 0, SCHEME.length())) {
            return equal(context.cookie(cookie(context)), cookieValue);
        }
        boolean right = equal(header.substring(SCHEME.length()).strip(), token);
        if (!right) {
            delay();
        }
        return right;
    }

    private static void delay() {
        try {
            Thread.sleep(DELAY); // of a virtual thread, which keeps no other
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        }
    }

    /** Returns the cookie's name, with the port: browsers send the cookies of a host to all of its ports. */
    private static String cookie(Context context) {
        return "lmdebugger-" + context.req().getLocalPort();
    }

    /** Lets the browser in that opens the link. */
    public synchronized void login(Context context) {
        if (!equal(context.queryParam("key"), key)) {
            throw Problem.refused(
                    "This link was used already, or is another server's. Open the one that lmdebug serve printed last.");
        }
        boolean secure = "https".equalsIgnoreCase(context.header("X-Forwarded-Proto")); // set by a proxy
        context.cookie(new Cookie(cookie(context), cookieValue, "/", -1, secure, true, null, SameSite.STRICT));
        context.status(303).header("Location", "/");
        makeLink();
    }

    /** Compares in a time that does not depend on the texts. */
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
