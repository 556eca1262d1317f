package org.lmdebugger.examples;

import java.nio.file.Files;
import java.nio.file.Path;
import org.lmdebugger.device.Devices;
import org.lmdebugger.hub.ModelSource;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.model.Gpt2;

/** The logit lens (nostalgebraist, 2020) of a data set: the likeliest token after each layer, as tab-separated values. */
public final class LogitLens {
    private LogitLens() {
    }

    /** @param args a model, and a file with one prompt a line */
    public static void main(String... args) throws Exception {
        if (args.length != 2) {
            throw new IllegalArgumentException("usage: LogitLens MODEL PROMPTS");
        }
        try (var device = Devices.open(); var model = Gpt2.load(ModelSource.of(args[0]), device)) {
            var debugger = new Debugger(model);
            System.out.println("prompt\tlayer\ttoken\tlog_probability");
            var prompts = Files.readAllLines(Path.of(args[1]));
            for (int p = 0; p < prompts.size(); p++) {
                try (var run = debugger.run(prompts.get(p))) {
                    for (int layer = 0; layer < model.config().layers(); layer++) {
                        var top = debugger.lens().top(run.residualPost(layer).row(run.length() - 1), 1);
                        System.out.printf("%d\t%d\t%s\t%.4f%n", p, layer, model.tokenizer().text(top.ids()[0]),
                                top.logits()[0] - top.logSumExp()[0]);
                    }
                }
            }
        }
    }
}
