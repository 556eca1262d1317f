package org.lmdebugger.interpret.activations;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntFunction;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.interpret.activations.CompiledIntervention.Affine;
import org.lmdebugger.interpret.edit.Edit;
import org.lmdebugger.interpret.edit.Edit.Operation;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.edit.Positions;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Prompt;
import org.lmdebugger.text.Shown;

/** Turns edits into what they do to a prompt: checks them, and looks up what they take from other runs. */
public final class Resolver implements AutoCloseable {
    private final Gpt2 model;
    private final int[] prompt;
    private final int length; // positions that will be computed: the prompt's, and generated ones
    private final Map<List<Integer>, Activations> runs = new HashMap<>(); // clean ones, by token ids
    private final Map<RunLayer, float[]> coefficients = new HashMap<>(); // [T·f], of what edits take from
    private final Map<Integer, Float> valuesWhenOn = new HashMap<>(); // by layer

    private record RunLayer(Activations run, int layer) {
    }

    public Resolver(Gpt2 model, int[] prompt, int length) {
        this.model = model;
        this.prompt = prompt;
        this.length = length;
    }

    public CompiledIntervention resolve(Intervention edits) {
        edits.neurons().forEach(this::check);
        edits.list().forEach(this::check);
        var intervention = new CompiledIntervention(prompt.length);
        for (var edit : edits.list()) {
            intervention.add(edit.layer(), edit.neuron(), edit.positions(), change(edit));
        }
        return intervention;
    }

    private void check(Neuron neuron) {
        int layers = model.config().layers();
        int width = model.config().feedForwardWidth();
        if (neuron.layer() >= layers || neuron.neuron() >= width) {
            throw new IllegalArgumentException("edit: %s (expected: L0 to L%d and D0 to D%d in this model)"
                    .formatted(neuron, layers - 1, width - 1));
        }
    }

    private void check(Edit edit) {
        if (edit.positions() instanceof Positions.Ranges at && at.last() >= length) {
            throw new IllegalArgumentException("edit: %s: position %d (expected: at most %d)"
                    .formatted(Shown.of(edit), at.last(), length - 1));
        }
    }

    private IntFunction<Affine> change(Edit edit) {
        return switch (edit.operation()) {
            case Operation.Set set -> always(new Affine(0, set.value()));
            case Operation.Scale scale -> always(new Affine(scale.factor(), 0));
            case Operation.Add add -> always(new Affine(1, add.amount()));
            case Operation.From from -> from(edit, from.prompt());
            case Operation.On _ -> always(new Affine(0, valuesWhenOn.computeIfAbsent(edit.layer(), this::valueWhenOn)));
            case Operation.Off _ -> always(new Affine(0, 0)); // GELU(0)
        };
    }

    private static IntFunction<Affine> always(Affine change) {
        return position -> change;
    }

    private IntFunction<Affine> from(Edit edit, Prompt other) {
        var run = cleanRun(model.encode(other));
        for (int position = run.length(); position < length; position++) {
            if (edit.positions().contains(position, prompt.length)) {
                throw new IllegalArgumentException("edit: %s: position %d (expected: one of the %d that %s has)"
                        .formatted(Shown.of(edit), position, run.length(), Shown.of(other)));
            }
        }
        int width = model.config().feedForwardWidth();
        var values = coefficients.computeIfAbsent(new RunLayer(run, edit.layer()),
                key -> run.coefficients(edit.layer()).toFloats());
        return position -> new Affine(0, values[position * width + edit.neuron()]);
    }

    /** Returns the prompt's own clean run, which this resolver closes. */
    public Activations cleanRun() {
        return cleanRun(prompt);
    }

    private Activations cleanRun(int[] ids) {
        return runs.computeIfAbsent(Arrays.stream(ids).boxed().toList(),
                key -> Activations.forward(model, ids, CompiledIntervention.NONE, Activations.Keep.ALL));
    }

    /**
     * Returns the value that LM-Debugger writes for "on": the activation of (largest score of the layer at the clean
     * prompt's last position + 0.01).
     */
    private float valueWhenOn(int layer) {
        var run = cleanRun(prompt);
        try (var scope = new TensorScope(model.device())) {
            return model.call(session -> {
                var neuron = scope.allocate(ElementType.I32, 1, 1);
                var coefficient = scope.allocate(ElementType.F32, 1, 1);
                var score = scope.allocate(ElementType.F32, 1, 1);
                session.dominant(neuron, coefficient, score, run.coefficients(layer).row(prompt.length - 1),
                        model.layer(layer).valueNorms());
                session.biasGelu(score, scope.vector(session, 0.01f), model.config().activation());
                return score.toFloats()[0];
            });
        }
    }

    @Override
    public void close() {
        runs.values().forEach(Activations::close);
    }
}
