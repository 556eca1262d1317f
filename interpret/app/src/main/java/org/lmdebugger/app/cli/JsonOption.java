package org.lmdebugger.app.cli;

import picocli.CommandLine.Option;

/** The choice between JSON and text for people. */
final class JsonOption {
    @Option(names = "--json", description = "Prints JSON.")
    private boolean json;

    boolean isGiven() {
        return json;
    }
}
