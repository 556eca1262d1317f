package org.lmdebugger.interpret;

class SampleGoldenTest extends GoldenTest {
    SampleGoldenTest() {
        super("sample");
    }
}
