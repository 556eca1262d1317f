package org.lmdebugger.app.server;

import io.javalin.http.Context;
import java.util.function.Function;
import org.lmdebugger.interpret.Debugger;

/** The model, and the line in front of it. */
record Inference(Debugger debugger, WorkQueue queue) {
    /** Has {@code work} done in its turn and waits for it, as long as the client does. */
    <T> T call(Context context, Function<Debugger, T> work) {
        return callLong(context, job -> work.apply(debugger));
    }

    /** The same for work that looks at its job now and then, to end when the client has gone. */
    <T> T callLong(Context context, Job.Work<T> work) {
        return queue.interactive(work).await(new Client(context));
    }
}
