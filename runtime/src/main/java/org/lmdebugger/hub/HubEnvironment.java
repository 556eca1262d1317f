package org.lmdebugger.hub;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.hc.core5.util.Timeout;
import org.lmdebugger.text.Shown;

/**
 * The environment variables of Hugging Face's tools, with the meanings that {@code huggingface_hub} gives them. A
 * variable that is blank counts as not set; one that cannot be used throws {@link IllegalArgumentException} with a
 * sentence that names it.
 *
 * @param variables values by name
 */
record HubEnvironment(Map<String, String> variables) {
    private static final Set<String> TRUE = Set.of("1", "ON", "YES", "TRUE");
    private static final Pattern REFERENCE = Pattern.compile("\\$(?:(\\w+)|\\{([^}]*)})");

    /**
     * The token that is sent to the Hub.
     *
     * @param secret the token itself
     * @param origin the variable or file that holds it
     */
    record Token(String secret, String origin) {
        @Override
        public String toString() {
            return "the token of " + origin;
        }
    }

    Optional<String> variable(String name) {
        return Optional.ofNullable(variables.get(name)).filter(value -> !value.isBlank());
    }

    /** Returns the folder for the caches of all programs, {@code XDG_CACHE_HOME}; it need not exist. */
    Path caches() {
        return path("XDG_CACHE_HOME").orElseGet(() -> home().resolve(".cache"));
    }

    /** Returns the folder of everything that Hugging Face's tools keep, {@code HF_HOME}; it need not exist. */
    private Path huggingFace() {
        return path("HF_HOME").orElseGet(() -> caches().resolve("huggingface"));
    }

    /** Returns the folder of downloaded models, {@code HF_HUB_CACHE}; it need not exist. */
    Path models() {
        return path("HF_HUB_CACHE").or(() -> path("HUGGINGFACE_HUB_CACHE"))
                .orElseGet(() -> huggingFace().resolve("hub"));
    }

    /** Returns the address of the Hub, {@code HF_ENDPOINT}. */
    String endpoint() {
        return variable("HF_ENDPOINT").orElse("https://huggingface.co");
    }

    /** Returns the variable that forbids requests to the Hub, if one does. */
    Optional<String> offline() {
        return Stream.of("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE").filter(this::isTrue).findFirst();
    }

    private boolean isTrue(String name) {
        return TRUE.contains(variable(name).orElse("").toUpperCase(Locale.ROOT));
    }

    /** Returns the timeout of a request for a file's description, {@code HF_HUB_ETAG_TIMEOUT}. */
    Timeout answerTimeout() {
        return timeout("HF_HUB_ETAG_TIMEOUT");
    }

    /** Returns the longest pause in a download, before its first byte or later, {@code HF_HUB_DOWNLOAD_TIMEOUT}. */
    Timeout downloadTimeout() {
        return timeout("HF_HUB_DOWNLOAD_TIMEOUT");
    }

    private Timeout timeout(String name) {
        var seconds = variable(name).map(String::strip).orElse("10");
        if (!seconds.matches("0*[1-9][0-9]{0,5}")) {
            throw new IllegalArgumentException("%s: %s (expected: a number of seconds, from 1 to 999999)"
                    .formatted(name, Shown.of(seconds)));
        }
        return Timeout.ofSeconds(Long.parseLong(seconds));
    }

    /**
     * Returns the token of {@code HF_TOKEN}, else that of the file that {@code hf auth login} writes
     * ({@code HF_TOKEN_PATH}), unless {@code HF_HUB_DISABLE_IMPLICIT_TOKEN} forbids sending either.
     */
    Optional<Token> token() {
        if (isTrue("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
            return Optional.empty();
        }
        return Stream.of("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
                .flatMap(name -> variable(name).map(value -> token(value, name)).stream()).findFirst()
                .or(this::storedToken);
    }

    private Optional<Token> storedToken() {
        var file = path("HF_TOKEN_PATH").orElseGet(() -> huggingFace().resolve("token"));
        try {
            return Optional.of(Files.readString(file)).filter(text -> !text.isBlank())
                    .map(text -> token(text, file.toString()));
        } catch (NoSuchFileException none) {
            return Optional.empty();
        } catch (IOException failure) {
            throw new UncheckedIOException(file + ": cannot be read (expected: a token of the Hub)", failure);
        }
    }

    private static Token token(String text, String origin) {
        var secret = text.strip();
        if (!secret.matches("[!-~]+")) { // not a valid header; and a secret is never shown
            throw new IllegalArgumentException(origin + ": no token (expected: one word of ASCII letters and digits)");
        }
        return new Token(secret, origin);
    }

    /** Returns the path that a variable holds, with {@code ~} and variables in it replaced, as Python does. */
    private Optional<Path> path(String name) {
        return variable(name).map(value -> expand(name, value)).map(Path::of);
    }

    private String expand(String name, String value) {
        if (value.matches("~[^/].*")) {
            throw new IllegalArgumentException("%s: %s (expected: a path that begins with /, ~/ or a variable)"
                    .formatted(name, Shown.of(value)));
        }
        var path = value.startsWith("~") ? home() + value.substring(1) : value;
        return REFERENCE.matcher(path).replaceAll(found -> {
            var variable = found.group(1) != null ? found.group(1) : found.group(2);
            return Matcher.quoteReplacement(variables.getOrDefault(variable, found.group()));
        });
    }

    /** Returns {@code HOME}, else the home that the system has for this user. */
    private Path home() {
        return Path.of(variable("HOME").or(HubEnvironment::userHome).orElseThrow(() -> new IllegalArgumentException(
                "HOME: not set, and this user has no home (expected: HOME, or HF_HOME and XDG_CACHE_HOME)")));
    }

    private static Optional<String> userHome() {
        return Optional.ofNullable(System.getProperty("user.home")).filter(home -> !List.of("", "?").contains(home));
    }
}
