package org.lmdebugger.app.cli;

import me.tongfei.progressbar.DelegatingProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import org.lmdebugger.bindings.Terminal;

/** Progress bars, which are for people alone: on a terminal, and never in a file or a pipe. */
final class Bars {
    private Bars() {
    }

    static ProgressBar build(ProgressBarBuilder bar) {
        return (Terminal.is(Terminal.STANDARD_ERROR) ? bar
                : bar.setConsumer(new DelegatingProgressBarConsumer(line -> {}))).build();
    }
}
