module demo.modular {
    requires java.net.http;
    requires org.lmdebugger.app;
    requires org.lmdebugger.interpret;
    requires org.lmdebugger.runtime;
}
