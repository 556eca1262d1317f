package org.lmdebugger.app.cli;

import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import org.lmdebugger.app.store.ValueCache;
import org.lmdebugger.progress.Progress;

/** A bar on stderr for work whose length is known when it begins; none if there is nothing to do. */
final class BuildBar implements Progress, AutoCloseable {
    private final String name;
    private final String unit; // with a space before it; none if it is empty
    private ProgressBar bar;

    BuildBar(String name) {
        this(name, "");
    }

    private BuildBar(String name, String unit) {
        this.name = name;
        this.unit = unit;
    }

    /** Returns a bar of tokens, with their number in a second. */
    static BuildBar ofTokens(String name) {
        return new BuildBar(name, " tokens");
    }

    /** Returns the cached result, else builds it. @param anew whether it is built in any case */
    static <T> T get(ValueCache.Entry<T> entry, boolean anew) {
        try (var bar = new BuildBar(entry.name())) {
            return anew ? entry.rebuild(bar) : entry.get(bar);
        }
    }

    @Override
    public void report(long done, long total) {
        if (bar == null) {
            var builder = new ProgressBarBuilder().setTaskName(name).setInitialMax(total);
            bar = Bars.build(unit.isEmpty() ? builder : builder.setUnit(unit, 1).showSpeed());
        }
        bar.maxHint(total);
        bar.stepTo(done);
    }

    @Override
    public void close() {
        if (bar != null) {
            bar.close();
        }
    }
}
