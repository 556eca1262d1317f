package org.lmdebugger.app.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.networknt.schema.JsonSchemaFactory;
import com.networknt.schema.SchemaLocation;
import com.networknt.schema.SpecVersion;
import com.networknt.schema.ValidationMessage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.stream.Collectors;

/** The API's description, held against what the server takes and answers. */
final class Description {
    private static final Logger LIBRARY = Logger.getLogger("com.networknt.schema");
    private static final String ID = "https://lmdebugger.org/openapi";

    static {
        LIBRARY.setLevel(Level.SEVERE); // what is in the document beside schemas is no news
    }

    private static final int PROBLEM = 2_000; // characters, whatever was sent

    static final Description INSTANCE = new Description();

    final JsonNode document;
    private final JsonSchemaFactory schemas;

    private Description() {
        try (var yaml = Description.class.getResourceAsStream("/org/lmdebugger/app/openapi.yaml")) {
            document = new ObjectMapper(new YAMLFactory()).readTree(yaml);
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
        schemas = JsonSchemaFactory.getInstance(SpecVersion.VersionFlag.V202012,
                builder -> builder.schemaLoaders(loaders -> loaders.schemas(Map.of(ID, document.toString()))));
    }

    /** All operations, such as {@code GET /api/v1/model}, and where they are in the document. */
    Map<String, String> operations() {
        var operations = new LinkedHashMap<String, String>();
        document.get("paths").properties().forEach(path -> path.getValue().fieldNames().forEachRemaining(method -> {
            if (!method.equals("parameters")) {
                operations.put(method.toUpperCase() + " " + path.getKey(),
                        "/paths/" + escaped(path.getKey()) + "/" + method);
            }
        }));
        return operations;
    }

    private static String escaped(String key) {
        return key.replace("~", "~0").replace("/", "~1");
    }

    /** Where the operation is that a request asks for; null if there is none. */
    private String operation(String method, String path) {
        return operations().entrySet().stream().filter(each -> {
            var parts = each.getKey().split(" ", 2);
            return parts[0].equals(method)
                    && path.matches(parts[1].replace(".", "\\.").replaceAll("\\{\\w+}", "[^/]*"));
        }).map(Map.Entry::getValue).findFirst().orElse(null);
    }

    /** Follows a reference. */
    private String resolved(String pointer) {
        var reference = document.at(pointer).path("$ref");
        return reference.isTextual() ? reference.textValue().substring(1) : pointer;
    }

    /** What a JSON value has against the schema at {@code pointer}. */
    Set<String> errors(String pointer, JsonNode value) {
        return schemas.getSchema(SchemaLocation.of(ID + "#" + pointer)).validate(value).stream()
                .map(ValidationMessage::getMessage).collect(Collectors.toSet());
    }

    /** Whether the description lets this body be sent; true where the operation has none. */
    boolean allows(String method, String path, String body) {
        var operation = operation(method, path);
        var schema = operation + "/requestBody/content/application~1json/schema";
        try {
            return document.at(schema).isMissingNode() || errors(schema, TestServer.JSON.readTree(body)).isEmpty();
        } catch (JsonProcessingException failure) {
            return false;
        }
    }

    /** Fails if a request was taken that the description does not allow, or its answer is not as described. */
    void check(String method, String path, String body, int status, String type, String answer) {
        assertThat(status < 400 ? "" : answer).as("what is said of a problem").hasSizeLessThan(PROBLEM);
        var operation = operation(method, path.replaceFirst("\\?.*", ""));
        if (operation == null) {
            return;
        }
        var what = method + " " + path;
        if (status < 300 && body != null && !answer.equals("{}")) {
            assertThat(allows(method, path, body)).as("%s takes %s", what, body).isTrue();
        }
        var responses = operation + "/responses/";
        var response = resolved(
                document.at(responses + status).isMissingNode() ? responses + "default" : responses + status);
        assertThat(response).as("%s: status %d", what, status)
                .satisfies(found -> assertThat(status < 300 && found.contains("components")).isFalse());
        var contents = document.at(response + "/content");
        if (contents.isMissingNode()) {
            assertThat(answer).as(what).isEmpty();
            return;
        }
        var kind = type.replaceFirst(";.*", "");
        assertThat(contents.has(kind)).as("%s answers with %s", what, kind).isTrue();
        var schema = response + "/content/" + escaped(kind) + "/schema";
        if (kind.equals("text/event-stream")) {
            answer.lines().filter(line -> line.startsWith("data: "))
                    .forEach(line -> checkJson(what, schema, line.substring("data: ".length())));
        } else if (kind.endsWith("json")) {
            checkJson(what, schema, answer);
        }
    }

    private void checkJson(String what, String schema, String json) {
        assertThat(errors(schema, TestServer.json(json))).as("%s answers %s", what, json).isEmpty();
    }
}
