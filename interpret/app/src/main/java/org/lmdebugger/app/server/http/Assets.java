package org.lmdebugger.app.server.http;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import org.lmdebugger.checkpoint.Digests;

/** The page's files, all in memory, by the path that a browser asks for: a request never becomes a path of a file. */
public final class Assets {
    private static final Map<String, String> TYPES = Map.of("html", "text/html; charset=utf-8", "css",
            "text/css; charset=utf-8",
            "js", "text/javascript; charset=utf-8", "svg", "image/svg+xml", "yaml", "application/yaml", "woff2",
            "font/woff2",
            "txt", "text/plain; charset=utf-8");

    /** The path of the API's description. */
    public static final String DESCRIPTION = "/api/v1/openapi.yaml";

    private final Map<String, Asset> byPath = new TreeMap<>();

    /** A file. @param tag the entity tag of its content */
    public record Asset(String type, byte[] bytes, String tag) {
    }

    public Assets() {
        try {
            addFolder(Assets.class.getResource("/org/lmdebugger/app/page/").toURI());
            addLibrary("vue", "vue.runtime.esm-browser.prod.js", "/lib/vue.js");
            try (var description = resource("org/lmdebugger/app/openapi.yaml")) {
                add(DESCRIPTION, description.readAllBytes());
            }
        } catch (IOException failure) {
            throw new UncheckedIOException("the page cannot be read", failure);
        } catch (URISyntaxException failure) {
            throw new AssertionError("the class loader's own URI", failure);
        }
        byPath.put("/", byPath.get("/index.html"));
    }

    /** Returns the file at {@code path}; null if there is none. */
    public Asset find(String path) {
        return byPath.get(path);
    }

    private void addFolder(URI uri) throws IOException {
        if (uri.getScheme().equals("jar")) {
            try (var jar = FileSystems.newFileSystem(uri, Map.of())) {
                addFolder(jar.getPath(uri.getSchemeSpecificPart().replaceFirst(".*!", "")));
            }
        } else {
            addFolder(Path.of(uri));
        }
    }

    private void addFolder(Path folder) throws IOException {
        try (var files = Files.walk(folder)) {
            for (var file : files.filter(Files::isRegularFile).toList()) {
                add("/" + folder.relativize(file).toString().replace('\\', '/'), Files.readAllBytes(file));
            }
        }
    }

    private void addLibrary(String name, String file, String path) throws IOException {
        var version = new Properties();
        try (var properties = resource("META-INF/maven/org.webjars.npm/%s/pom.properties".formatted(name))) {
            version.load(properties);
        }
        try (var script = resource(
                "META-INF/resources/webjars/%s/%s/dist/%s".formatted(name, version.getProperty("version"), file))) {
            add(path, script.readAllBytes());
        }
    }

    private static InputStream resource(String name) throws IOException {
        var stream = Assets.class.getClassLoader().getResourceAsStream(name);
        if (stream == null) {
            throw new IOException(name + " is not on the class path");
        }
        return stream;
    }

    private void add(String path, byte[] bytes) {
        var tag = '"' + HexFormat.of().formatHex(Digests.sha256().digest(bytes)) + '"';
        byPath.put(path, new Asset(TYPES.get(path.substring(path.lastIndexOf('.') + 1)), bytes, tag));
    }
}
