package org.lmdebugger.examples;

import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.sql.SQLException;
import org.duckdb.DuckDBConnection;
import org.lmdebugger.device.Devices;
import org.lmdebugger.hub.ModelSource;
import org.lmdebugger.interpret.Debugger;
import org.lmdebugger.interpret.sweep.Effects;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.Sweep;
import org.lmdebugger.model.Gpt2;

/** An ablation of every neuron by itself at the end of many prompts, whose effects become a Parquet file. */
public final class AblationSweep {
    private AblationSweep() {
    }

    /** @param args a model, a file with one prompt a line, and the file to write */
    public static void main(String... args) throws Exception {
        if (args.length != 3) {
            throw new IllegalArgumentException("usage: AblationSweep MODEL PROMPTS OUT");
        }
        var prompts = Files.readAllLines(Path.of(args[1])).toArray(String[]::new);
        try (var device = Devices.open(); var model = Gpt2.load(ModelSource.of(args[0]), device);
                var database = (DuckDBConnection) DriverManager.getConnection("jdbc:duckdb:");
                var statement = database.createStatement()) {
            statement.execute("create table effects (prompt integer, layer integer, neuron integer, kl float)");
            var sweep = Sweep.of(prompts).allNeurons().off().atLast().measure(Measure.kl());
            new Debugger(model).sweep(sweep, effects -> append(database, effects));
            statement.execute("copy effects to '" + args[2].replace("'", "''") + "' (format parquet)");
        }
    }

    /** Adds the effects of one chunk. @return true: the sweep goes on */
    private static boolean append(DuckDBConnection database, Effects effects) {
        try (var table = database.createAppender("main", "effects")) {
            float[] kl = effects.values(Measure.kl());
            for (int i = 0; i < effects.size(); i++) {
                table.beginRow();
                table.append(effects.prompt());
                table.append(effects.layers()[i]);
                table.append(effects.neurons()[i]);
                table.append(kl[i]);
                table.endRow();
            }
            return true;
        } catch (SQLException failure) {
            throw new IllegalStateException("effects cannot be added", failure);
        }
    }
}
