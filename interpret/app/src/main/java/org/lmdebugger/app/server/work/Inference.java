package org.lmdebugger.app.server.work;

import io.javalin.http.Context;
import java.util.function.Function;
import org.lmdebugger.app.server.http.ClientConnection;
import org.lmdebugger.interpret.Debugger;

/** The model, and the queue in front of it. */
public record Inference(Debugger debugger, WorkQueue queue) {
    /** Does {@code work} in its turn and waits for it, as long as the client does. */
    public <T> T call(Context context, Function<Debugger, T> work) {
        return callLong(context, job -> work.apply(debugger));
    }

    /** Does long work, which checks its job now and then, to end when the client has gone. */
    public <T> T callLong(Context context, Job.Work<T> work) {
        return queue.interactive(work).await(new ClientConnection(context));
    }
}
