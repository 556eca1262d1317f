package org.lmdebugger.app.server.routes;

import io.javalin.http.Context;
import io.javalin.router.JavalinDefaultRoutingApi;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import org.lmdebugger.app.json.TraceJson;
import org.lmdebugger.app.server.http.Problem;
import org.lmdebugger.app.server.http.Responses;
import org.lmdebugger.app.server.work.Inference;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.values.ValueVectors;
import org.lmdebugger.model.Prompt;

/** Routes of a run's activations: coefficients of neurons, attention of heads. */
public final class ActivationRoutes {
    private final Inference inference;
    private final ValueVectors vectors;

    public ActivationRoutes(Inference inference) {
        this.inference = inference;
        vectors = new ValueVectors(inference.debugger().model());
    }

    public void add(JavalinDefaultRoutingApi routes) {
        routes.post("/api/v1/coefficients", this::coefficients);
        routes.post("/api/v1/attention", this::attention);
    }

    record CoefficientsRequest(String prompt, List<String> neurons) {
    }

    record Coefficients(List<TraceJson.Coefficients> neurons) {
    }

    private void coefficients(Context context) {
        var request = Requests.read(context, CoefficientsRequest.class);
        var ids = inference.debugger().model().encode(Limits.prompt(request.prompt()));
        var names = Objects.requireNonNullElse(request.neurons(), List.<String>of());
        Limits.check("neurons", names, Limits.EDITS);
        var neurons = names.stream().map(Neuron::parse).distinct().toList();
        neurons.forEach(vectors::index); // throws for one that is none
        Responses.json(context, inference.call(context,
                debugger -> new Coefficients(coefficients(debugger, Prompt.ofIds(ids), neurons))));
    }

    /** Returns neurons' coefficients without edits, at every position of the prompt. */
    static List<TraceJson.Coefficients> coefficients(Debugger debugger, Prompt prompt, Collection<Neuron> neurons) {
        if (neurons.isEmpty()) {
            return List.of();
        }
        try (var run = debugger.run(prompt, Intervention.NONE)) {
            return neurons.stream().map(neuron -> new TraceJson.Coefficients(neuron.layer(),
                    neuron.neuron(), run.coefficients(neuron.layer()).columns(neuron.neuron(), 1).toFloats())).toList();
        }
    }

    record AttentionRequest(String prompt, List<String> edits, String mode, Integer layer) {
    }

    /** @param heads of each head, of each position, the weights of the positions up to it */
    record Attention(int layer, List<List<float[]>> heads) {
    }

    private void attention(Context context) {
        var request = Requests.read(context, AttentionRequest.class);
        var config = inference.debugger().model().config();
        var ids = inference.debugger().model().encode(Limits.prompt(request.prompt()));
        var edits = TraceRoutes.edits(request.edits(), request.mode());
        int layer = Objects.requireNonNullElse(request.layer(), 0);
        Limits.check("layer", layer, 0, config.layers() - 1);
        long weights = (long) config.heads() * ids.length * (ids.length + 1) / 2;
        if (weights > Limits.WEIGHTS) {
            throw Problem.badRequest(
                    "prompt: %d tokens have %,d attention weights in a layer (expected: at most %,d; take a shorter prompt, or the attention of a trace at some positions)"
                            .formatted(ids.length, weights, Limits.WEIGHTS));
        }
        Responses.json(context, inference.call(context, debugger -> {
            try (var run = debugger.run(Prompt.ofIds(ids), edits); var pattern = run.pattern(layer)) {
                return new Attention(layer, heads(pattern.toFloats(), config.heads(), ids.length));
            }
        }));
    }

    /** @param pattern [H·T, T] */
    private static List<List<float[]>> heads(float[] pattern, int heads, int length) {
        return IntStream.range(0, heads).mapToObj(head -> IntStream.range(0, length).mapToObj(position -> {
            int row = (head * length + position) * length;
            return Arrays.copyOfRange(pattern, row, row + position + 1);
        }).toList()).toList();
    }
}
