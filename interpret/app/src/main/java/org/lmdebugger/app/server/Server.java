package org.lmdebugger.app.server;

import io.javalin.Javalin;
import io.javalin.compression.CompressionStrategy;
import io.javalin.config.JavalinConfig;
import io.javalin.config.RoutesConfig;
import io.javalin.http.Context;
import io.javalin.http.HttpResponseException;
import io.javalin.util.JavalinException;
import java.net.URI;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.stream.Collectors;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.server.handler.GracefulHandler;
import org.lmdebugger.app.server.http.AccessTokens;
import org.lmdebugger.app.server.http.Assets;
import org.lmdebugger.app.server.http.Connections;
import org.lmdebugger.app.server.http.Guard;
import org.lmdebugger.app.server.http.HttpErrors;
import org.lmdebugger.app.server.http.Problem;
import org.lmdebugger.app.server.routes.ActivationRoutes;
import org.lmdebugger.app.server.routes.CompatibleRoutes;
import org.lmdebugger.app.server.routes.CorpusRoutes;
import org.lmdebugger.app.server.routes.EdgeRoutes;
import org.lmdebugger.app.server.routes.ExperimentRoutes;
import org.lmdebugger.app.server.routes.FlowRoutes;
import org.lmdebugger.app.server.routes.GenerateRoutes;
import org.lmdebugger.app.server.routes.Limits;
import org.lmdebugger.app.server.routes.ModelRoutes;
import org.lmdebugger.app.server.routes.PatchRoutes;
import org.lmdebugger.app.server.routes.SearchRoutes;
import org.lmdebugger.app.server.routes.SweepRoutes;
import org.lmdebugger.app.server.routes.TraceRoutes;
import org.lmdebugger.app.server.routes.ValueRoutes;
import org.lmdebugger.app.server.routes.ValueStore;
import org.lmdebugger.app.server.work.Inference;
import org.lmdebugger.app.server.work.ModelChoice;
import org.lmdebugger.app.server.work.WorkQueue;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.text.Shown;
import org.slf4j.LoggerFactory;

/**
 * The debugger as a web application: one process, one port. Requests are handled on virtual threads, inference on one
 * platform thread.
 */
public final class Server implements AutoCloseable {
    private static final org.slf4j.Logger LOG = LoggerFactory.getLogger(Server.class);
    private static final Logger JAVALIN = Logger.getLogger("io.javalin");
    private static final Logger JETTY = Logger.getLogger("org.eclipse.jetty");
    private static final Logger PARSER = Logger.getLogger("org.eclipse.jetty.http");

    static {
        JETTY.setLevel(Level.WARNING); // no line for each start
        PARSER.setLevel(Level.SEVERE); // nor for each malformed request
        Connections.prepareWarnings();
    }

    /** The header in which a client names the model that it is about, by its fingerprint, and the server its own. */
    public static final String MODEL = "LMDebugger-Model";

    private final ServerOptions options;
    private final Assets assets = new Assets();
    private final WorkQueue queue = new WorkQueue(Limits.QUEUE);
    private final ValueStore values;
    private final Javalin javalin;
    private boolean closed; // guarded by this

    /**
     * Starts to answer.
     *
     * @param debugger of a model that the caller closes, after the server
     * @param link     takes each link by which one browser can log in; none if there is no token
     */
    public Server(Debugger debugger, ServerOptions options, Consumer<URI> link) {
        this(debugger, options, AccessTokens.random(), link, ModelChoice.NONE);
    }

    /**
     * Starts to answer.
     *
     * @param debugger of a model that the caller closes, after the server
     * @param cookie   what browsers get that logged in; with that of a server before this one they stay so
     * @param link     takes each link by which one browser can log in; none if there is no token
     * @param choice   the models that clients may choose among
     */
    public Server(Debugger debugger, ServerOptions options, String cookie, Consumer<URI> link, ModelChoice choice) {
        this.options = options;
        var tokens = options.token() == null ? null
                : new AccessTokens(options.token(), cookie,
                        path -> link.accept(address().resolve(path)));
        var guard = new Guard(options.host(), options.origins(), tokens);
        var inference = new Inference(debugger, queue);
        values = new ValueStore(inference, options.data(), options.cache());
        CompletableFuture.runAsync(debugger.model()::fingerprint); // so that the first request for it need not wait
        javalin = Javalin.create(config -> {
            configure(config, options);
            config.routes.before(guard::check);
            config.routes.before("/api/*", context -> checkModel(context, debugger));
            if (tokens != null) {
                config.routes.get(Guard.LOGIN, tokens::login);
            }
            addRoutes(config.routes, inference, choice);
        });
        listen();
        if (tokens != null) {
            tokens.makeLink();
        }
    }

    /** Refuses a client that is about another model, such as a page that was opened before that was changed. */
    private static void checkModel(Context context, Debugger debugger) {
        var meant = context.header(MODEL);
        if (meant != null) {
            var loaded = debugger.model().fingerprint();
            context.header(MODEL, loaded);
            if (!meant.equals(loaded)) {
                throw new Problem(409, "Another model",
                        "model: %s is loaded now, not the one that this request is about (expected: its fingerprint, %s); reload the page"
                                .formatted(debugger.model().files().name(), loaded));
            }
        }
    }

    private void addRoutes(RoutesConfig routes, Inference inference, ModelChoice choice) {
        new ModelRoutes(inference, choice).add(routes);
        new TraceRoutes(inference).add(routes);
        new ActivationRoutes(inference).add(routes);
        new FlowRoutes(inference).add(routes);
        new GenerateRoutes(inference).add(routes);
        new SweepRoutes(inference).add(routes);
        new PatchRoutes(inference).add(routes);
        new EdgeRoutes(inference).add(routes);
        new ExperimentRoutes(inference, options.data().resolve("experiments")).add(routes);
        new ValueRoutes(inference, values).add(routes);
        new SearchRoutes(inference, values).add(routes);
        new CorpusRoutes(inference, values, options.cache()).add(routes);
        new CompatibleRoutes(inference).add(routes);
        routes.get(Assets.DESCRIPTION, this::asset);
        routes.get("/*", this::asset);
        routes.exception(Exception.class, Server::failed);
        routes.exception(HttpResponseException.class, Server::failed); // else Javalin's own handler would be closer
    }

    private void listen() {
        JAVALIN.setLevel(Level.OFF); // the exception below reports a failure
        try {
            javalin.start();
            // not before: a graceful stop needs a started server
            javalin.jettyServer().server().setStopTimeout(2_000);
        } catch (JavalinException failure) {
            queue.close();
            throw new IllegalArgumentException(
                    "port: %d of %s cannot be had: %s (expected: a free one, such as --port 0 finds, of an address of this machine)"
                            .formatted(options.port(), options.host(), first(failure).getMessage()),
                    failure);
        } finally {
            JAVALIN.setLevel(Level.WARNING);
        }
    }

    private static Throwable first(Throwable failure) {
        return failure.getCause() == null ? failure : first(failure.getCause());
    }

    @SuppressWarnings("removal") // the request's data rate, until Jetty offers another limit
    private static void configure(JavalinConfig config, ServerOptions options) {
        config.concurrency.useVirtualThreads = true;
        config.startup.showJavalinBanner = false;
        config.startup.startupWatcherEnabled = false;
        config.http.prefer405over404 = true;
        config.http.compressionStrategy = CompressionStrategy.GZIP; // not of events and downloads, which write by themselves
        config.jetty.modifyHttpConfiguration(http -> {
            http.setMinRequestDataRate(Limits.BODY_RATE);
            http.setHeaderCacheCaseSensitive(true); // else a wrong token is taken for the right one that the connection sent before
        });
        config.jetty.addConnector((server, http) -> {
            var connector = new ServerConnector(server, new HttpConnectionFactory(http));
            connector.setHost(options.host());
            connector.setPort(options.port());
            connector.setAcceptQueueSize(Limits.CONNECTIONS); // else more than 50 clients at once may be reset
            connector.setShutdownIdleTimeout(100); // milliseconds that stopping waits for the next request
            return connector;
        });
        config.jetty.modifyServer(server -> {
            server.addBean(new Connections(Connections.affordable(Limits.CONNECTIONS), Limits.HEADERS, server));
            server.insertHandler(new GracefulHandler());
            server.setErrorHandler(new HttpErrors());
        });
        config.jetty.modifyServletContextHandler(context -> context.setErrorHandler(new HttpErrors()));
    }

    private void asset(Context context) {
        var asset = assets.find(context.path());
        if (asset == null) {
            throw Problem.notFound("There is nothing here; the page is at /, the API below /api/v1/.");
        }
        context.header("Cache-Control", "no-cache").header("ETag", asset.tag()); // kept, but asked for again
        if (asset.tag().equals(context.header("If-None-Match"))) {
            context.status(304);
        } else {
            context.contentType(asset.type()).result(asset.bytes());
        }
    }

    private static void failed(Exception failure, Context context) {
        Problem.of(failure, context.method() + " " + Shown.of(context.path())).send(context);
    }

    WorkQueue queue() {
        return queue;
    }

    /** Returns all routes, such as {@code GET /api/v1/model}. */
    Set<String> routes() {
        return javalin.unsafe.internalRouter.allHttpHandlers().stream().map(parsed -> parsed.endpoint)
                .filter(each -> each.method.isHttpMethod()).map(each -> each.method + " " + each.path)
                .collect(Collectors.toSet());
    }

    /** Returns the address of the page. */
    public URI address() {
        return URI.create("http://%s:%d/"
                .formatted(options.host().contains(":") ? "[" + options.host() + "]" : options.host(), javalin.port()));
    }

    private void stop() {
        JAVALIN.setLevel(Level.OFF); // the warning below reports a failure
        try {
            javalin.stop();
        } catch (JavalinException late) {
            LOG.warn("some requests were cut off, as they did not end: {}", first(late).toString());
        } finally {
            JAVALIN.setLevel(Level.WARNING);
        }
    }

    /** Accepts no more requests, cancels running work and waits for its end. A second call does nothing. */
    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            queue.close();
            stop();
            values.close();
        }
    }
}
