package org.lmdebugger.interpret;

class SampleSitesGoldenTest extends SitesGoldenTest {
    SampleSitesGoldenTest() {
        super("sample");
    }
}
