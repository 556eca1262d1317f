package org.lmdebugger.spark;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.SortedSet;
import org.apache.spark.TaskContext;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.app.store.CorpusStore;
import org.lmdebugger.app.store.Folders;
import org.lmdebugger.app.store.Manifest;
import org.lmdebugger.device.Devices;
import org.lmdebugger.device.Precision;
import org.lmdebugger.hub.ModelSource;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.progress.Progress;

/**
 * The model of an executor's JVM on one device. The first task there loads it; the JVM's end frees it. Of the tasks that
 * share it one computes at a time, as it uses the whole device, while others write their rows.
 *
 * @param name      a directory that all executors see, {@code sample}, or a Hub id such as {@code gpt2}
 * @param precision the arithmetic of products
 */
record ExecutorModel(String name, Precision precision) implements Serializable {
    private static final Map<String, Debugger> LOADED = new HashMap<>();

    /** Returns the model on the device that Spark chose for the task of this thread. Who computes locks it. */
    Debugger debugger() {
        var device = device();
        synchronized (LOADED) {
            return LOADED.computeIfAbsent(name + " " + precision + " " + device, _ -> {
                var model = Gpt2.load(ModelSource.of(name), Devices.open(device, precision));
                return new Debugger(model, new CorpusStore(model, Folders::cache, () -> Progress.NONE));
            });
        }
    }

    /** Returns the GPU whose address Spark gave to the task, else the CPU. */
    private static String device() {
        var gpu = TaskContext.get().resourcesJMap().get("gpu");
        if (gpu == null) {
            return "cpu";
        }
        if (gpu.addresses().length != 1) {
            throw new IllegalArgumentException("gpu: %d for one task (expected: spark.task.resource.gpu.amount=1)"
                    .formatted(gpu.addresses().length));
        }
        return "cuda:" + gpu.addresses()[0];
    }

    /** Returns, as JSON, all but the work itself that the bits of results depend on. @param corpora that the work uses */
    static String manifest(Debugger debugger, SortedSet<String> corpora) {
        var manifest = Manifest.of(debugger);
        manifest.put("corpora", Manifest.corpora(debugger, corpora));
        return Json.line(manifest);
    }

    /** Checks that two executors compute the same bits. @throws IllegalArgumentException naming the first difference */
    static void check(String found, String expected) {
        Manifest.check("executors", tree(found), tree(expected));
    }

    static JsonNode tree(String json) {
        try {
            return Json.tree(json.getBytes(StandardCharsets.UTF_8));
        } catch (IOException impossible) {
            throw new UncheckedIOException(impossible); // it was written here
        }
    }
}
