package org.lmdebugger.app.ranking;

import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.model.TokenLogit;

/** The tokens that value vectors promote most. */
public final class TopTokens {
    /** The number of tokens shown beside a value vector in a list. */
    public static final int DEFAULT_COUNT = 8;

    private TopTokens() {
    }

    /** Returns the {@code k} tokens that each vector promotes most, or all if the vocabulary has fewer: in one product. */
    public static Map<Neuron, List<TokenLogit>> of(Debugger debugger, Collection<Neuron> vectors, int k) {
        var tokens = new LinkedHashMap<Neuron, List<TokenLogit>>();
        if (vectors.isEmpty()) {
            return tokens;
        }
        var model = debugger.model();
        var list = vectors.stream().distinct().toList();
        try (var scope = new TensorScope(model.device())) {
            var rows = scope.allocate(ElementType.F32, list.size(), model.config().width());
            model.call(operations -> {
                for (int i = 0; i < list.size(); i++) {
                    operations.copy(rows.row(i), model.layer(list.get(i).layer()).ffnOut().row(list.get(i).neuron()));
                }
                return null;
            });
            var projected = debugger.project(rows, Math.min(k, model.config().vocabularySize()));
            for (int i = 0; i < list.size(); i++) {
                tokens.put(list.get(i), projected.get(i));
            }
        }
        return tokens;
    }
}
