package org.lmdebugger.spark;

import java.io.IOException;
import java.io.Serializable;
import java.nio.file.Files;
import java.util.Optional;
import org.apache.spark.TaskContext;
import org.lmdebugger.app.store.ResultDirectory;
import org.lmdebugger.app.store.ResultTable;
import org.lmdebugger.interpret.Debugger;

/** The work of a task, whose rows are in one file. */
interface TaskGroup extends Serializable {
    /**
     * The same for all tasks.
     *
     * @param work     that is done on each input, as JSON
     * @param manifest as {@link ExecutorModel#manifest} returned it when the work was planned
     * @param attempts after which a group has failed
     */
    record Job(String work, ExecutorModel model, String manifest, ResultFolder results, int attempts)
            implements Serializable {
    }

    /** Returns the number of the group, and of its file. */
    int number();

    /** Returns the number of effects, which are the rows of the file. */
    long rows();

    /** Computes the rows and keeps them. @throws IllegalStateException naming the inputs, if that fails */
    void compute(Job job, Debugger debugger);

    /**
     * Computes the rows and keeps them.
     *
     * @return the failure that is the last which Spark lets the task have; empty if there is none
     * @throws IllegalStateException naming the inputs, if there may be another attempt
     */
    default Optional<String> run(Job job) {
        try {
            compute(job, job.model.debugger());
            return Optional.empty();
        } catch (RuntimeException failure) {
            var context = TaskContext.get();
            if (context.isInterrupted() || context.attemptNumber() + 1 < job.attempts) {
                throw failure;
            }
            return Optional.of(String.valueOf(failure.getMessage()));
        }
    }

    /** Keeps the rows of a table as the group's file. */
    default void keep(Job job, ResultTable<?> rows) throws IOException {
        var folder = Files.createTempDirectory("lmdebugger");
        var file = folder.resolve(ResultDirectory.partName(number()));
        try {
            rows.write(file);
            job.results.keep(number(), file);
        } finally {
            Files.deleteIfExists(file);
            Files.delete(folder);
        }
    }
}
