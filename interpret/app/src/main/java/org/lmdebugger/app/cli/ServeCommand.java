package org.lmdebugger.app.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import org.lmdebugger.app.server.Server;
import org.lmdebugger.app.server.ServerOptions;
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

    @Override
    public Integer call() {
        var wanted = given.read();
        var token = wanted == null && !ServerOptions.isLoopback(host) ? ServerOptions.randomToken() : wanted;
        var options = new ServerOptions(host, port, origins, token, data.folder(), model.cache().folder());
        return model.withCorpora((loaded, corpora) -> {
            // an edit takes from corpora that are there: to build one would keep all others waiting
            var debugger = new Debugger(loaded.model(), name -> corpora.corpora().find(name));
            var stop = new CountDownLatch(1);
            var server = new Server(debugger, options, link -> say("log in, once, with: " + link));
            var hook = new Thread(() -> {
                server.close();
                stop.countDown();
            });
            Runtime.getRuntime().addShutdownHook(hook);
            say("%s on %s: %s  (stop with Ctrl-C)".formatted(debugger.model().files().name(),
                    debugger.model().device().name(), server.address()));
            if (wanted == null && token != null) {
                say("token for programs: " + token);
            }
            await(stop);
            return 0;
        });
    }

    private synchronized void say(String line) {
        var out = spec.commandLine().getOut();
        out.println(line);
        out.flush();
    }

    private static void await(CountDownLatch stop) {
        try {
            stop.await();
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        }
    }
}
