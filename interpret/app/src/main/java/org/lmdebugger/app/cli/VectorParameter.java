package org.lmdebugger.app.cli;

import org.lmdebugger.interpret.edit.Neuron;
import picocli.CommandLine.Parameters;

/** The value vector that a command is about. */
final class VectorParameter {
    @Parameters(index = "0", paramLabel = "VECTOR", description = "A layer and a neuron: L3D42.")
    private String vector;

    /** Returns the vector. @throws IllegalArgumentException if the text is none */
    Neuron parse() {
        return Neuron.parse(vector);
    }
}
