package org.lmdebugger.spark;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.app.json.SweepPlanJson;
import org.lmdebugger.app.store.EffectTable;
import org.lmdebugger.app.store.PatchTable;
import org.lmdebugger.app.store.ResultDirectory;
import org.lmdebugger.device.Devices;
import org.lmdebugger.hub.ModelSource;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.patch.Pair;
import org.lmdebugger.interpret.patch.Patching;
import org.lmdebugger.interpret.sweep.Sweep;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.progress.Progress;

/** A sweep or a patching of the sample model as one process computes it. */
final class SingleProcess {
    private SingleProcess() {
    }

    /** Writes the plan, and the rows as a sweep on Spark groups them. */
    static void run(String deviceName, Sweep sweep, int group, Path plan, Path results) throws IOException {
        Files.createDirectories(results);
        try (var device = Devices.open(deviceName); var model = Gpt2.load(ModelSource.of("sample"), device)) {
            var debugger = new Debugger(model);
            var planned = debugger.plan(sweep);
            Files.writeString(plan, Json.print(SweepPlanJson.of(planned)));
            try (var rows = new EffectTable(sweep.measures(), model.tokenizer(), Optional.empty())) {
                debugger.sweep(planned, 0, effects -> {
                    rows.add(effects);
                    int next = effects.chunk() + 1;
                    if (next % group == 0 || next == planned.chunks().size()) {
                        rows.write(results.resolve(ResultDirectory.partName((next - 1) / group)));
                    }
                    return true;
                });
            }
        }
    }

    /** Writes the rows of pairs as patching on Spark groups them. */
    static void run(List<Pair> pairs, List<Patching> patchings, int group, Path results) throws IOException {
        Files.createDirectories(results);
        try (var device = Devices.open("cpu"); var model = Gpt2.load(ModelSource.of("sample"), device);
                var rows = new PatchTable(true, Optional.empty())) {
            var debugger = new Debugger(model);
            for (int p = 0; p < pairs.size(); p++) {
                rows.add(new PatchTable.Patched(p, pairs.get(p),
                        debugger.patch(pairs.get(p), patchings, Progress.NONE)));
                if ((p + 1) % group == 0 || p + 1 == pairs.size()) {
                    rows.write(results.resolve(ResultDirectory.partName(p / group)));
                }
            }
        }
    }

    /** Returns the bytes of a folder's parts by their names. */
    static SortedMap<String, String> parts(Path folder) throws IOException {
        var parts = new TreeMap<String, String>();
        if (Files.exists(folder)) {
            try (var files = Files.newDirectoryStream(folder,
                    each -> each.getFileName().toString().startsWith("part-") && Files.isRegularFile(each))) {
                for (var file : files) {
                    parts.put(file.getFileName().toString(), Files.readString(file, StandardCharsets.ISO_8859_1));
                }
            }
        }
        return parts;
    }

    /** Checks that the folders have the same parts, byte for byte, and nothing that is unfinished. */
    static void assertSame(Path found, Path expected) throws IOException {
        assertThat(parts(found)).isEqualTo(parts(expected));
        try (var files = Files.list(found)) {
            assertThat(files.map(each -> each.getFileName().toString()).filter(each -> !each.startsWith("part-")))
                    .containsExactly("manifest.json");
        }
        assertThat(ResultDirectory.parts(List.of(found), note -> assertThat(note).isEmpty()))
                .hasSameSizeAs(parts(expected).keySet());
    }
}
