package org.lmdebugger.app.store;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.BitSet;
import org.lmdebugger.files.ProcessLock;
import org.lmdebugger.interpret.sweep.Effects;
import org.lmdebugger.interpret.sweep.SweepPlan;
import org.lmdebugger.tokenizer.Tokenizer;

/** The results of a sweep as one file, which is written at the end, in the place of the one that may be there. */
public final class SweepFile implements SweepOutput {
    private final Path file;
    private final Path lockFile;
    private final ProcessLock lock;
    private final int chunks;
    private final EffectTable table;

    private SweepFile(Path file, Path lockFile, ProcessLock lock, SweepPlan plan, Tokenizer tokenizer) {
        this.file = file;
        this.lockFile = lockFile;
        this.lock = lock;
        chunks = plan.chunks().size();
        table = new EffectTable(plan.sweep().measures(), tokenizer);
    }

    /**
     * Takes the place, so that a mistake shows now and not after an hour.
     *
     * @throws IllegalArgumentException if another sweep is going to write this file
     * @throws UncheckedIOException     if it cannot be written
     */
    public static SweepFile open(Path file, SweepPlan plan, Tokenizer tokenizer) {
        var lockFile = file.resolveSibling("." + file.getFileName() + ".lock");
        try {
            var lock = ProcessLock.tryTake(lockFile).orElseThrow(() -> new IllegalArgumentException(
                    file + ": another sweep is going to write it (expected: a file of its own)"));
            lockFile.toFile().deleteOnExit(); // whatever ends the process, but a kill
            return new SweepFile(file, lockFile, lock, plan, tokenizer);
        } catch (IOException failure) {
            throw new UncheckedIOException(file + ": cannot be written", failure);
        }
    }

    @Override
    public BitSet missing() {
        var all = new BitSet();
        all.set(0, chunks);
        return all;
    }

    @Override
    public void add(Effects chunk) {
        table.add(chunk);
    }

    @Override
    public void complete() {
        table.write(file);
    }

    @Override
    public void close() {
        table.close();
        try (lock) {
            Files.deleteIfExists(lockFile);
        } catch (IOException failure) {
            throw new UncheckedIOException(lockFile + ": cannot be deleted", failure);
        }
    }
}
