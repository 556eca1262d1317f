package org.lmdebugger.app.cli;

import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import org.lmdebugger.hub.DownloadProgress;

/** A bar on stderr for each file of a download. */
final class DownloadBar implements DownloadProgress, AutoCloseable {
    private ProgressBar bar;
    private String file;

    @Override
    public void report(String name, long done, long size) {
        if (!name.equals(file)) {
            close();
            file = name;
            bar = Bars.build(new ProgressBarBuilder().setTaskName(name).setInitialMax(size).setUnit(" MB", 1_000_000)
                    .showSpeed());
        }
        bar.stepTo(done);
    }

    @Override
    public void close() {
        if (bar != null) {
            bar.close();
            bar = null;
        }
    }
}
