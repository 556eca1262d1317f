package org.lmdebugger.app;

import java.util.function.Function;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.Devices;
import org.lmdebugger.device.Precision;
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

    @Option(names = "--precision", paramLabel = "P", defaultValue = "fp32",
            description = "Arithmetic of matrix products: fp32 (default), or on a GPU tf32 or bf16, faster and rounded.")
    private Precision precision;

    /** Loads the model, has {@code work} done with it, and frees it. */
    <T> T with(Function<Debugger, T> work) {
        ModelFiles files;
        try (var bar = new DownloadBar()) {
            files = new ModelSource(System.getenv(), bar).find(model);
        }
        try (var opened = open(); var loaded = Gpt2.load(files, opened)) {
            return work.apply(new Debugger(loaded));
        }
    }

    private Device open() {
        if (device == null) {
            return precision == Precision.FP32 ? Devices.open() : Devices.open("cuda", precision);
        }
        return Devices.open(device, precision);
    }
}
