package org.lmdebugger.interpret;

class TarotGoldenTest extends GoldenTest {
    TarotGoldenTest() {
        super("tarot");
    }
}
