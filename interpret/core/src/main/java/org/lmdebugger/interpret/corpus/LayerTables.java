package org.lmdebugger.interpret.corpus;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;
import java.util.function.BiConsumer;
import org.lmdebugger.device.ColumnExtremes;
import org.lmdebugger.device.ColumnStatistics;
import org.lmdebugger.device.Operations;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TensorScope;
import org.lmdebugger.interpret.corpus.Shape.Section;
import org.lmdebugger.model.Site;

/**
 * The tables of one layer, in the device's memory: each sum in F64, in the order of the windows and of the positions in
 * them. So their bits do not depend on how windows are put together in batches.
 */
final class LayerTables {
    private final Shape shape;
    private final Map<Section, Tensor> tables = new EnumMap<>(Section.class);
    private final ColumnStatistics neurons;
    private final ColumnStatistics norms;
    private final ColumnExtremes extremes;

    /** Makes tables of undefined contents, which are freed with a scope. */
    LayerTables(TensorScope scope, Shape shape) {
        this.shape = shape;
        for (var section : Section.values()) {
            tables.put(section, scope.allocate(section.type, shape.rows(section),
                    shape.size(section) / shape.rows(section)));
        }
        neurons = statistics(0, shape.neurons());
        norms = statistics(shape.neurons(), shape.heads() + 2);
        extremes = new ColumnExtremes(table(Section.VALUES), table(Section.DOCUMENTS), table(Section.PLACES),
                table(Section.CONTEXTS));
    }

    private Tensor table(Section section) {
        return Objects.requireNonNull(tables.get(section));
    }

    private ColumnStatistics statistics(int first, int units) {
        return new ColumnStatistics(table(Section.SUMS).columns(first, units),
                table(Section.SQUARES).columns(first, units), table(Section.MIN).columns(first, units),
                table(Section.MAX).columns(first, units), table(Section.HISTOGRAMS).rows(first, units));
    }

    /** Adds the rows of a site. @param rows [R, n], as {@link Site} has them */
    void add(Operations session, Site site, Batch.OnDevice batch, Tensor rows) {
        var sums = table(Section.POSITIONS).columns(shape.firstColumn(site), shape.columns(site));
        session.addRows(sums.rows(0, batch.length()), rows, batch.positionStarts(), batch.positionRows());
        if (site == Site.COEFFICIENTS) {
            session.addRows(table(Section.TOKENS), rows, batch.tokenStarts(), batch.tokenRows());
            session.accumulate(neurons, rows);
            session.mergeExtremes(extremes, rows, batch.windows());
            for (var sample : batch.samples()) {
                session.copy(table(Section.SAMPLES).rows(sample.slot(), sample.count()),
                        rows.rows(sample.row(), sample.count()));
            }
        }
    }

    /** Adds the numbers of heads and outputs. @param rows [R, H+2]: heads, attention, feed-forward layer */
    void addNorms(Operations session, Tensor rows) {
        session.accumulate(norms, rows);
    }

    /** Copies all tables to host memory, in the order of {@link Section}. */
    void download(Operations session, MemorySegment to) {
        eachTable(to, (part, table) -> session.download(part, table));
    }

    /** Copies all tables from host memory. */
    void upload(Operations session, MemorySegment from) {
        eachTable(from, (part, table) -> session.upload(table, part));
    }

    private void eachTable(MemorySegment layer, BiConsumer<MemorySegment, Tensor> copy) {
        tables.forEach((section, table) -> copy.accept(shape.part(layer, section), table));
    }

    /** Returns a layer in host memory to which nothing was added. */
    static MemorySegment initial(Shape shape, Arena arena) {
        var layer = arena.allocate(shape.layerBytes(), Double.BYTES);
        shape.part(layer, Section.DOCUMENTS).fill((byte) ColumnExtremes.NONE);
        fill(shape.part(layer, Section.MIN), Float.POSITIVE_INFINITY);
        fill(shape.part(layer, Section.MAX), Float.NEGATIVE_INFINITY);
        return layer;
    }

    private static void fill(MemorySegment part, float number) {
        var numbers = new float[(int) (part.byteSize() / Float.BYTES)];
        Arrays.fill(numbers, number);
        part.copyFrom(MemorySegment.ofArray(numbers));
    }
}
