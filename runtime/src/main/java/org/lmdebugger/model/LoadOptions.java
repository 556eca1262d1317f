package org.lmdebugger.model;

import java.util.function.Consumer;

/**
 * The options of loading a model.
 *
 * @param copyWeights whether the files of the weights are copied into memory, instead of being mapped: loading takes
 *                    longer and memory is taken at once, but the files may then be changed
 * @param warnings    takes sentences about a model that can be used but may be another than was meant; called from the
 *                    threads that use the model, also after it was loaded
 */
public record LoadOptions(boolean copyWeights, Consumer<String> warnings) {
    /** Weights are mapped; warnings go to the logger {@code org.lmdebugger.model}. */
    public static final LoadOptions DEFAULT = new LoadOptions(false,
            warning -> System.getLogger("org.lmdebugger.model").log(System.Logger.Level.WARNING, warning));
}
