package org.lmdebugger.interpret;

class TarotSitesGoldenTest extends SitesGoldenTest {
    TarotSitesGoldenTest() {
        super("tarot");
    }
}
