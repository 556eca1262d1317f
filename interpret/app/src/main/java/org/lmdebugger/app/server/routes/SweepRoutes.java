package org.lmdebugger.app.server.routes;

import static com.fasterxml.jackson.annotation.JsonInclude.Include.NON_NULL;

import com.fasterxml.jackson.annotation.JsonInclude;
import io.javalin.http.Context;
import io.javalin.router.JavalinDefaultRoutingApi;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.stream.IntStream;
import org.lmdebugger.app.json.Targets;
import org.lmdebugger.app.ranking.StrongestEffects.Change;
import org.lmdebugger.app.server.http.ClientConnection;
import org.lmdebugger.app.server.http.EventStream;
import org.lmdebugger.app.server.http.Problem;
import org.lmdebugger.app.server.http.Responses;
import org.lmdebugger.app.server.work.Inference;
import org.lmdebugger.app.server.work.SweepJob;
import org.lmdebugger.app.store.EffectTable;
import org.lmdebugger.bindings.TemporaryFolders;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.edit.Mode;
import org.lmdebugger.interpret.edit.NeuronSelection;
import org.lmdebugger.interpret.edit.PartSelection;
import org.lmdebugger.interpret.edit.Positions;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.Sweep;
import org.lmdebugger.interpret.sweep.Target;

/** Routes of sweeps: started, watched, read, downloaded and cancelled. The last {@value Limits#SWEEPS} are kept. */
public final class SweepRoutes {
    /** The share of a chunk's usual size that takes well under a second, as others may wait for the end of one. */
    private static final int SHARE = 4;

    private final Inference inference;
    private final Map<String, SweepJob> sweeps = new LinkedHashMap<>(); // guarded by itself

    public SweepRoutes(Inference inference) {
        this.inference = inference;
    }

    public void add(JavalinDefaultRoutingApi routes) {
        routes.post("/api/v1/sweeps", this::start);
        routes.get("/api/v1/sweeps/{id}", context -> Responses.json(context, find(context).progress()));
        routes.get("/api/v1/sweeps/{id}/events", this::events);
        routes.get("/api/v1/sweeps/{id}/strongest", this::strongest);
        routes.get("/api/v1/sweeps/{id}/map", context -> {
            var job = find(context);
            Responses.json(context, new SweepResults(job).map(inference.debugger(), context.queryParam("measure")));
        });
        routes.get("/api/v1/sweeps/{id}/effects.csv", context -> download(context, "csv", "text/csv; charset=utf-8"));
        routes.get("/api/v1/sweeps/{id}/effects.parquet",
                context -> download(context, "parquet", "application/vnd.apache.parquet"));
        routes.delete("/api/v1/sweeps/{id}", context -> {
            find(context).cancel();
            context.status(204);
        });
    }

    /**
     * @param targets the target token of each prompt, or one for all: a text that is one token, or an id as {@code #12}
     * @param against the second token of {@code difference:target/against}, likewise
     * @param samples how many texts each operation {@code resample:NAME} takes; null for the one of its seed
     */
    @JsonInclude(NON_NULL)
    record SweepRequest(List<String> prompts, List<String> targets, List<String> against, String mode, String neurons,
            String sites, List<String> edits, List<String> operations, String at, List<String> measures,
            Integer samples) {
        Sweep sweep() {
            if (prompts == null) {
                throw Problem.badRequest("prompts: missing (expected: a list of texts)");
            }
            Limits.check("prompts", prompts, Limits.PROMPTS);
            prompts.forEach(Limits::prompt);
            var wanted = Objects.requireNonNullElse(operations, List.of("off"));
            Limits.check("operations", wanted, Limits.OPERATIONS);
            var measured = Objects.requireNonNullElse(measures, List.of("kl"));
            Limits.check("measures", measured, Limits.FOLLOWED);
            var target = tokens("targets", targets);
            var other = tokens("against", against);
            var sweep = Sweep.of(prompts.toArray(String[]::new))
                    .targets(IntStream.range(0, prompts.size()).mapToObj(i -> new Target(target.get(i), other.get(i)))
                            .toList())
                    .parts(sites == null ? NeuronSelection.parse(Objects.requireNonNullElse(neurons, "all"))
                            : PartSelection.parse(sites))
                    .at(Positions.parse(Objects.requireNonNullElse(at, "last")))
                    .measure(measured.stream().map(Measure::parse).toArray(Measure[]::new));
            if (neurons != null && sites != null) {
                throw Problem.badRequest("sites: beside neurons (expected: one of them)");
            }
            Mode chosen = Requests.mode(mode);
            sweep = sweep.base(TraceRoutes.edits(edits, mode));
            for (var operation : wanted) {
                var parsed = chosen.operation(operation);
                Limits.from(parsed);
                sweep = sweep.operation(parsed);
            }
            if (samples == null) {
                return sweep;
            }
            Limits.check("samples", samples, 2, Limits.INTERVENTIONS);
            return sweep.samples(samples);
        }

        private List<Optional<Measure.Token.Fixed>> tokens(String name, List<String> given) {
            var tokens = Objects.requireNonNullElse(given, List.<String>of());
            Limits.check(name, tokens, Limits.PROMPTS);
            return Targets.each(name, tokens, prompts.size());
        }
    }

    private void start(Context context) {
        var request = Requests.read(context, SweepRequest.class);
        var sweep = request.sweep().memory(memory(inference.debugger()));
        var plan = inference.call(context, debugger -> debugger.plan(sweep));
        if (plan.effects() > Limits.EFFECTS) {
            throw Problem.badRequest("neurons: %,d effects (expected: at most %,d; choose fewer, or use lmdebug sweep)"
                    .formatted(plan.effects(), Limits.EFFECTS));
        }
        long numbers = plan.effects() * sweep.measures().stream().mapToLong(SweepRoutes::numbers).sum();
        if (numbers > Limits.NUMBERS) {
            throw Problem.badRequest(
                    "measures: %,d numbers of %,d effects (expected: at most %,d; choose fewer, or use lmdebug sweep)"
                            .formatted(numbers, plan.effects(), Limits.NUMBERS));
        }
        var job = new SweepJob(plan, request, Optional.ofNullable(request.samples()), System::nanoTime);
        synchronized (sweeps) {
            forgetOldest();
            job.start(inference);
            sweeps.put(job.id(), job);
        }
        context.status(201).header("Location", "/api/v1/sweeps/" + job.id());
        Responses.json(context, job.progress());
    }

    /** Returns the bytes of device memory that a chunk may take. */
    static long memory(Debugger debugger) {
        return debugger.model().device().traits().chunkBytes() / SHARE;
    }

    private static int numbers(Measure measure) {
        return measure instanceof Measure.Top top ? 2 * top.count() : 1; // tokens and probabilities
    }

    private void forgetOldest() {
        for (Iterator<SweepJob> each = sweeps.values().iterator(); sweeps.size() >= Limits.SWEEPS && each.hasNext();) {
            if (each.next().state().isFinal()) {
                each.remove();
            }
        }
        if (sweeps.size() >= Limits.SWEEPS) {
            throw new Problem(429, "Too many requests",
                    "%d sweeps wait already; cancel one, or wait.".formatted(sweeps.size()));
        }
    }

    private SweepJob find(Context context) {
        synchronized (sweeps) {
            var job = sweeps.get(context.pathParam("id"));
            if (job == null) {
                throw Problem.notFound(
                        "sweep: there is none of that id; the server keeps the last %d until it stops. Start it again."
                                .formatted(Limits.SWEEPS));
            }
            job.look();
            return job;
        }
    }

    private void events(Context context) {
        var job = find(context);
        try {
            job.watch(new EventStream(context), new ClientConnection(context));
        } catch (CancellationException gone) {
            job.look(); // it may come back, and has a while to do so
        }
    }

    private void strongest(Context context) {
        var job = find(context);
        int top = Requests.number(context, "top", 50, 1000);
        var change = change(context.queryParam("change"));
        Responses.json(context, inference.call(context,
                debugger -> new SweepResults(job).strongest(debugger, context.queryParam("measure"), change, top,
                        context.queryParam("part"))));
    }

    private static Change change(String name) {
        return switch (name) {
            case null -> Change.ANY;
            case "any" -> Change.ANY;
            case "raises" -> Change.RAISES;
            case "lowers" -> Change.LOWERS;
            default -> throw Problem.badRequest("change: of another kind (expected: any, raises or lowers)");
        };
    }

    private void download(Context context, String format, String type) throws IOException {
        var job = find(context);
        if (job.state() != SweepJob.State.DONE) {
            throw new Problem(409, "Not done", "The sweep is not done; watch its events, then download.");
        }
        var folder = TemporaryFolders.create(Path.of(System.getProperty("java.io.tmpdir")));
        var file = folder.resolve("effects." + format);
        try (var table = new EffectTable(job.plan().sweep().measures(), inference.debugger().model().tokenizer(),
                Optional.empty())) {
            job.chunks().forEach(table::add);
            table.write(file);
            context.contentType(type).header("Content-Disposition",
                    "attachment; filename=\"effects.%s\"".formatted(format));
            context.header("Content-Length", String.valueOf(Files.size(file)));
            Files.copy(file, context.res().getOutputStream());
        } catch (UncheckedIOException failure) {
            throw new Problem(507, "No room", failure.getMessage());
        } finally {
            Files.deleteIfExists(file);
            Files.delete(folder);
        }
    }
}
