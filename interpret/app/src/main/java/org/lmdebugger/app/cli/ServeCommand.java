package org.lmdebugger.app.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import org.lmdebugger.app.server.Server;
import org.lmdebugger.app.server.ServerOptions;
import org.lmdebugger.app.server.http.AccessTokens;
import org.lmdebugger.checkpoint.ModelFiles;
import org.lmdebugger.interpret.Debugger;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(name = "serve", mixinStandardHelpOptions = true,
        description = "Serves the interactive debugger: a page for the browser, and an HTTP interface for programs.",
        footerHeading = "%nExamples:%n", footer = {
                "  lmdebug serve",
                "  lmdebug serve --model gpt2 --port 9000",
                "  lmdebug serve --host 0.0.0.0                                  # for others too: with a token",
                "  lmdebug serve --port 8000 --allow-origin http://localhost:3000   # for LM-Debugger's own page"})
final class ServeCommand extends ModelCommand {
    @Option(names = "--port", paramLabel = "P", defaultValue = "8001",
            description = "0 takes a free one (default: ${DEFAULT-VALUE}).")
    private int port;

    @Option(names = "--host", paramLabel = "H", defaultValue = "127.0.0.1",
            description = "Where to listen; beyond loopback, "
                    + "clients need the token (default: ${DEFAULT-VALUE}).")
    private String host;

    @Option(names = "--allow-origin", paramLabel = "URL",
            description = "Another page that may use the HTTP interface, such as "
                    + "http://localhost:3000. Repeatable.")
    private Set<String> origins = new HashSet<>();

    @ArgGroup
    private TokenOption given = new TokenOption();

    private static final class TokenOption {
        @Option(names = "--token", paramLabel = "T",
                description = "What programs show in the header Authorization: Bearer T "
                        + "(default: the variable LMDEBUGGER_TOKEN; else none on loopback, a random one beyond). "
                        + "Other users of this machine can see arguments.")
        private String token;

        @Option(names = "--token-file", paramLabel = "FILE",
                description = "Reads the token from a file that holds nothing else.")
        private Path file;

        /** The token that was given, or null. */
        private String read() {
            if (file == null) {
                return token != null ? token : System.getenv("LMDEBUGGER_TOKEN");
            }
            try {
                return Files.readString(file).strip();
            } catch (IOException failure) {
                throw new IllegalArgumentException(("token file: %s cannot be read: %s "
                        + "(expected: a file that holds the token)").formatted(file,
                                failure.getClass().getSimpleName()),
                        failure);
            }
        }
    }

    @Mixin
    private NameOptions data;

    private String newToken; // until it is printed

    @Override
    public Integer call() {
        var wanted = given.read();
        var token = wanted == null && !ServerOptions.isLoopback(host) ? ServerOptions.randomToken() : wanted;
        var options = new ServerOptions(host, port, origins, token, data.folder(), model.cache().folder());
        newToken = wanted == null ? token : null;
        var models = new ServedModels(model.files());
        Runtime.getRuntime().addShutdownHook(new Thread(models::stop));
        var cookie = AccessTokens.random();
        for (var next = models.next(); next.isPresent(); next = models.next()) {
            try {
                options = serve(next.get(), models, options, cookie);
            } catch (RuntimeException failure) {
                models.failed(failure);
            }
        }
        return 0;
    }

    /** Serves a model until another is chosen or the process is to end; returns the options with the port that it had. */
    private ServerOptions serve(ModelFiles files, ServedModels models, ServerOptions options, String cookie) {
        return model.withCorpora(files, (loaded, corpora) -> {
            var debugger = new Debugger(loaded.model(), corpora.ofServer());
            try (var server = new Server(debugger, options, cookie, link -> say("log in, once, with: " + link),
                    models)) {
                say("%s on %s: %s  (stop with Ctrl-C)".formatted(files.name(), debugger.model().device().name(),
                        server.address()));
                if (newToken != null) {
                    say("token for programs: " + newToken);
                    newToken = null;
                }
                models.await(server);
                return options.port(server.address().getPort());
            }
        });
    }

    private synchronized void say(String line) {
        var out = spec.commandLine().getOut();
        out.println(line);
        out.flush();
    }
}
