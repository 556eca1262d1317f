module demo.modular {
    requires org.lmdebugger.interpret;
}
