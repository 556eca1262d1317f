package org.lmdebugger.app;

import java.util.function.Function;
import org.lmdebugger.device.Devices;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.ModelFiles;
import org.lmdebugger.model.ModelSource;
import picocli.CommandLine.Option;

/** Which model, and where it computes. */
final class ModelOptions {
    @Option(names = "--model", paramLabel = "M", defaultValue = "sample",
            description = "A directory, sample (default), or a Hub id such as gpt2: taken from the Hugging Face cache, else downloaded into it.")
    private String model;

    @Option(names = "--device", paramLabel = "D", description = "cpu, cuda or cuda:1 (default: the best usable one).")
    private String device;

    /** Loads the model, has {@code work} done with it, and frees it. */
    <T> T with(Function<Debugger, T> work) {
        ModelFiles files;
        try (var bar = new DownloadBar()) {
            files = new ModelSource(System.getenv(), bar).find(model);
        }
        try (var opened = device == null ? Devices.open() : Devices.open(device); var loaded = Gpt2.load(files, opened)) {
            return work.apply(new Debugger(loaded));
        }
    }
}
