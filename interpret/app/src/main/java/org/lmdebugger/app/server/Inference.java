package org.lmdebugger.app.server;

import io.javalin.http.Context;
import java.util.function.Function;
import org.lmdebugger.interpret.Debugger;

/** The model, and the line in front of it. */
record Inference(Debugger debugger, WorkQueue queue) {
    /** Has {@code work} done in its turn and waits for it, as long as the client does. */
    <T> T call(Context context, Function<Debugger, T> work) {
        Job<T> job = queue.interactive(running -> work.apply(debugger));
        return job.await(new Client(context));
    }
}
