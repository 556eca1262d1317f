package org.lmdebugger.interpret.edge;

import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.interpret.activations.Activations;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Site;

/**
 * The changes of senders' outputs from the base run to the source run, out_S(u) − out_B(u), at the n last positions, on
 * the device.
 */
final class SenderChanges {
    private final int n;
    private final Map<Sender, Integer> numbers = new HashMap<>();
    private final Tensor changes; // [senders·n, d]

    /** Queues the computation of the changes, whose memory is freed with {@code scope}. */
    SenderChanges(Operations session, TensorScope scope, Activations base, Activations source,
            Collection<Sender> senders, int n) {
        this.n = n;
        var model = base.model();
        int d = model.config().width();
        changes = scope.allocate(ElementType.F32, (long) senders.size() * n, d);
        var mixed = scope.allocate(ElementType.F32, n, d); // of the heads of one layer
        int layer = -1; // whose they are
        for (var sender : new TreeSet<>(senders)) {
            var change = changes.rows((long) numbers.size() * n, n);
            numbers.put(sender, numbers.size());
            switch (sender.kind()) {
                case EMBEDDING -> subtract(session, scope, change, base, source, Site.RESIDUAL_PRE, 0);
                case FFN -> subtract(session, scope, change, base, source, Site.FFN_OUT, sender.layer());
                case HEAD -> {
                    if (layer != sender.layer()) {
                        layer = sender.layer();
                        subtract(session, scope, mixed, base, source, Site.Z, layer);
                    }
                    long width = d / model.config().heads();
                    session.multiply(change, mixed.columns(sender.head() * width, width), output(model, sender));
                }
            }
        }
    }

    /** Returns a head's rows of W_O. */
    private static Tensor output(Gpt2 model, Sender head) {
        long width = model.config().width() / model.config().heads();
        return model.layer(head.layer()).attentionOut().rows(head.head() * width, width);
    }

    private void subtract(Operations session, TensorScope scope, Tensor to, Activations base, Activations source,
            Site site, int layer) {
        int first = base.length() - n;
        session.copy(to, source.at(site, layer).rows(first, n));
        RowSums.add(session, scope, to, IntStream.range(0, n).toArray(), -1, base.at(site, layer),
                IntStream.range(first, base.length()).toArray());
    }

    /** Returns the changes, a row for each sender and its n positions side by side, [senders, n·d]. */
    Tensor bySender() {
        return changes.reshape(numbers.size(), n * changes.columns());
    }

    /** Returns the row of a sender. */
    int row(Sender sender) {
        return numbers.get(sender);
    }

    /** Adds the changes of senders to rows of x: those of the i-th sender at the {@code rows} last positions. */
    void addTo(Operations session, TensorScope temporary, Tensor x, Sender[] senders, int rows) {
        var all = IntStream.range(0, senders.length * rows).toArray();
        RowSums.add(session, temporary, x, all, 1, changes, IntStream.of(all)
                .map(r -> numbers.get(senders[r / rows]) * n + n - rows + r % rows).toArray());
    }
}
