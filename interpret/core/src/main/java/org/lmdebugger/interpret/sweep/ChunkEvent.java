package org.lmdebugger.interpret.sweep;

import jdk.jfr.Category;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** One chunk of a sweep in a recording by JFR. */
@Name("lmdebugger.Chunk")
@Label("Chunk of a sweep")
@Category("LM-Debugger")
@StackTrace(false)
final class ChunkEvent extends Event {
    @Label("Device")
    String device = "";

    @Label("Chunk")
    int chunk;

    @Label("Prompt")
    int prompt;

    @Label("Interventions")
    int interventions;

    @Label("Rows")
    long rows;
}
