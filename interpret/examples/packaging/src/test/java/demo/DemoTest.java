package demo;

import org.junit.jupiter.api.Test;

class DemoTest {
    @Test
    void theLibraryComputesInATest() {
        Demo.main();
    }
}
