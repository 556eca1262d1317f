import org.lmdebugger.device.*; import org.lmdebugger.hub.*; import org.lmdebugger.interpret.*; import org.lmdebugger.model.*;
var debugger = new Debugger(Gpt2.load(ModelSource.of("sample"), Devices.open()));
System.out.println(debugger.run("Once upon a time").length() + " tokens");
/exit
