package org.lmdebugger.app.cli;

import java.util.Optional;
import org.lmdebugger.interpret.sweep.Measure;
import picocli.CommandLine.Option;

/** The number that effects of edges and the faithfulness of circuits are on. */
final class MeasureOption {
    @Option(names = "--measure", paramLabel = "M",
            description = "What is measured in place of the answers' logit difference: kl (from the prompt that runs), entropy, "
                    + "logit:\" king\", probability:\" king\", log-probability:\" king\", rank:\" king\" or "
                    + "difference:\" king\"/\" queen\"; target is the first answer, against the first wrong token.")
    private String measure;

    /** Returns the measure; none for the logit difference. */
    Optional<Measure> measure() {
        return Optional.ofNullable(measure).map(Measure::parse);
    }
}
