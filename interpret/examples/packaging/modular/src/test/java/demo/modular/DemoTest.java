package demo.modular;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;
import org.lmdebugger.app.server.Server;

class DemoTest {
    @Test
    void runsWithTheLibraryAsModules() throws Exception {
        assertEquals("org.lmdebugger.app", Server.class.getModule().getName());
        Demo.main();
    }
}
