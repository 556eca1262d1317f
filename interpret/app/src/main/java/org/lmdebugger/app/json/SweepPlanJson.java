package org.lmdebugger.app.json;

import java.util.List;
import org.lmdebugger.interpret.sweep.SweepPlan;
import org.lmdebugger.text.Shown;

/**
 * A plan of a sweep as JSON: the sweep, and the units of work into which it is divided. Its file travels to other processes,
 * each of which computes some of the units.
 */
public record SweepPlanJson(SweepJson sweep, List<Unit> units) {
    /** A chunk of the plan. @param gflop multiplications and additions in matrix products, in 10⁹ */
    public record Unit(int prompt, int effects, double gflop) {
        private static List<Unit> of(SweepPlan plan) {
            return plan.chunks().stream().map(each -> new Unit(each.prompt(), each.count(), each.flop() / 1e9))
                    .toList();
        }
    }

    /** @throws IllegalArgumentException as {@link SweepJson#of} */
    public static SweepPlanJson of(SweepPlan plan) {
        return new SweepPlanJson(SweepJson.of(plan.sweep()), Unit.of(plan));
    }

    /** Reads a plan. @throws IllegalArgumentException naming the mistake */
    public static SweepPlanJson read(byte[] json) {
        var plan = JsonReader.read(json, SweepPlanJson.class);
        if (plan.sweep == null || plan.units == null) {
            throw new IllegalArgumentException("%s: missing (expected: a plan that --save-plan wrote)"
                    .formatted(plan.sweep == null ? "sweep" : "units"));
        }
        return plan;
    }

    /** Checks that a model divides the sweep into the same units. @throws IllegalArgumentException naming the first other */
    public void check(SweepPlan plan) {
        var found = Unit.of(plan);
        for (int unit = 0; unit < Math.max(units.size(), found.size()); unit++) {
            var expected = unit < units.size() ? units.get(unit) : null;
            var other = unit < found.size() ? found.get(unit) : null;
            if (other == null || !other.equals(expected)) {
                throw new IllegalArgumentException(
                        "plan: unit %d: %s (expected: %s, as with this model)".formatted(unit,
                                Shown.of(expected), Shown.of(other)));
            }
        }
    }
}
