package demo;

import org.lmdebugger.device.Devices;
import org.lmdebugger.hub.ModelSource;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.trace.Trace;
import org.lmdebugger.model.Gpt2;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

@State(Scope.Benchmark)
public class TraceBenchmark {
    private final Debugger debugger = new Debugger(Gpt2.load(ModelSource.of("sample"), Devices.open()));

    @Benchmark
    public Trace trace() {
        return debugger.trace("Once upon a time", Intervention.parse("L1D483=0"));
    }
}
