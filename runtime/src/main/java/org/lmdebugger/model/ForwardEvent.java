package org.lmdebugger.model;

import jdk.jfr.Category;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** One pass of rows of the residual stream through a model's blocks, in a recording by JFR. */
@Name("lmdebugger.Forward")
@Label("Forward pass")
@Category("LM-Debugger")
@StackTrace(false)
final class ForwardEvent extends Event {
    @Label("Model")
    String model = "";

    @Label("Device")
    String device = "";

    @Label("First layer")
    int firstLayer;

    @Label("Layers")
    int layers;

    @Label("Rows")
    long rows;
}
