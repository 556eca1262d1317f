package org.lmdebugger.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.lmdebugger.checkpoint.ModelFiles;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.Devices;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.generate.Generation;
import org.lmdebugger.model.Gpt2;

/** Writes what this library computes for some prompts, for {@code peers/parity.py} to compare with Hugging Face's. */
final class Parity {
    private static final int TOKENS = 20;

    private Parity() {
    }

    /** @param arguments checkpoint directory, device, file to write, prompts */
    public static void main(String[] arguments) throws IOException {
        try (var device = Devices.open(arguments[1]);
                var model = Gpt2.load(ModelFiles.of(Path.of(arguments[0])), device)) {
            var results = new ArrayList<Map<String, Object>>();
            for (var prompt : List.of(arguments).subList(3, arguments.length)) {
                results.add(result(new Debugger(model), device, prompt));
            }
            new ObjectMapper().writeValue(Path.of(arguments[2]).toFile(), results);
        }
    }

    private static Map<String, Object> result(Debugger debugger, Device device, String prompt) {
        var result = new LinkedHashMap<String, Object>();
        result.put("device", device.name());
        try (var run = debugger.run(prompt); var logits = run.logits()) {
            int layers = debugger.model().config().layers();
            result.put("ids", run.ids());
            result.put("logits", logits.toFloats()); // [T, V]
            result.put("hidden", IntStream.range(0, layers).mapToObj(l -> run.residualPost(l).toFloats()).toList()); // [L, T, d]
        }
        result.put("greedy", debugger.generate(prompt, TOKENS).tokens().stream().map(Generation.Token::id).toList());
        return result;
    }
}
