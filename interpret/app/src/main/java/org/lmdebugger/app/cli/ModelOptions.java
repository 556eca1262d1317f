package org.lmdebugger.app.cli;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BiFunction;
import java.util.function.Function;
import org.lmdebugger.app.store.CorpusStore;
import org.lmdebugger.checkpoint.ModelFiles;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.Devices;
import org.lmdebugger.device.Precision;
import org.lmdebugger.hub.ModelSource;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.LoadOptions;
import org.lmdebugger.progress.Progress;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** The model, its device and its precision. */
final class ModelOptions {
    @Option(names = "--model", paramLabel = "M", defaultValue = "sample",
            description = "A directory, sample (default), or a Hub id such as gpt2: taken from the Hugging Face cache, else downloaded into it.")
    private String model;

    @Option(names = "--device", paramLabel = "D", description = "cpu, cuda or cuda:1 (default: the best usable one); "
            + "for a sweep also several, which share it: cuda:0,cuda:1.")
    private String device;

    @Option(names = "--precision", paramLabel = "P", defaultValue = "fp32",
            description = "Arithmetic of matrix products: fp32 (default); on a GPU also tf32x3, nearly as exact and faster on "
                    + "data-centre cards, or tf32 or bf16, faster still and rounded.")
    private Precision precision;

    @Option(names = "--copy-weights",
            description = "Copies the weights into memory instead of mapping their files, which "
                    + "may then be changed while the model is in use.")
    private boolean copyWeights;

    @Mixin
    private CacheOptions cache;

    @Spec(Spec.Target.MIXEE)
    private CommandSpec spec;

    private final Set<String> said = ConcurrentHashMap.newKeySet();

    /** Returns the place of cached results. */
    CacheOptions cache() {
        return cache;
    }

    /** Loads the model, does {@code work} with it, and frees it. */
    <T> T with(Function<Debugger, T> work) {
        return withCorpora((debugger, corpora) -> work.apply(debugger));
    }

    /** Loads the model, does {@code work} with it and its corpora, and frees it. */
    <T> T withCorpora(BiFunction<Debugger, CorpusStore, T> work) {
        return withCorpora(files(), work);
    }

    /** Does the same with another model, on the same device. */
    <T> T withCorpora(ModelFiles files, BiFunction<Debugger, CorpusStore, T> work) {
        try (var opened = open(); var loaded = Gpt2.load(files, opened, loading())) {
            var corpora = corpora(loaded);
            return work.apply(new Debugger(loaded, corpora), corpora);
        }
    }

    private CorpusStore corpora(Gpt2 loaded) {
        return new CorpusStore(loaded, cache::folder, ModelOptions::bar);
    }

    /** Returns a bar that ends with the build. */
    private static Progress bar() {
        var bar = BuildBar.ofTokens("corpus");
        return (done, total) -> {
            bar.report(done, total);
            if (done == total) {
                bar.close();
            }
        };
    }

    /** Does {@code work} with the model on each device of a list such as {@code cuda:0,cuda:1}. */
    <T> T withAll(Function<List<Debugger>, T> work) {
        if (device == null || !device.contains(",")) {
            return with(debugger -> work.apply(List.of(debugger)));
        }
        var files = files();
        var opened = new ArrayDeque<AutoCloseable>();
        try {
            var debuggers = new ArrayList<Debugger>();
            for (var name : device.split(",", -1)) {
                var one = Devices.open(name, precision);
                opened.push(one);
                var loaded = Gpt2.load(files, one, loading());
                opened.push(loaded);
                debuggers.add(new Debugger(loaded, corpora(loaded)));
            }
            return work.apply(debuggers);
        } finally {
            opened.forEach(ModelOptions::close);
        }
    }

    private static void close(AutoCloseable opened) {
        try {
            opened.close();
        } catch (RuntimeException failure) {
            throw failure;
        } catch (Exception failure) {
            throw new IllegalStateException(failure); // neither a model nor a device throws one
        }
    }

    /** Returns the model that is named, downloaded if need be. */
    ModelFiles files() {
        try (var bar = new DownloadBar()) {
            return new ModelSource(System.getenv(), bar).find(model);
        }
    }

    private LoadOptions loading() {
        return new LoadOptions(copyWeights, warning -> {
            if (said.add(warning)) { // once, on however many devices
                spec.commandLine().getErr().println("lmdebug: " + warning);
            }
        });
    }

    private Device open() {
        if (device == null) {
            return precision == Precision.FP32 ? Devices.open() : Devices.open("cuda", precision);
        }
        return Devices.open(device, precision);
    }
}
