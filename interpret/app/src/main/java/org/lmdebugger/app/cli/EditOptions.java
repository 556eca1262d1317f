package org.lmdebugger.app.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.Mode;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** The edits of a command. */
final class EditOptions {
    @Option(names = "--edit", paramLabel = "E", description = {
            "Changes a coefficient: L3D42=0, L3D42*=2, L3D42+=1.5, L3D42=from:\"other prompt\", L3D42=mean:NAME (its mean over "
                    + "a corpus, see lmdebug help corpus), mean-at:NAME (over the same position), resample:NAME#7 (of a text "
                    + "of it, drawn by the seed 7), or, as LM-Debugger does it, "
                    + "L3D42=on or L3D42=off; then @all (default), @prompt, @generated, @last, @3, @1,4 or @2..5. "
                    + "Or another part: a head L5H3=0 (also .q, .k, .v, .pattern; L5H* all heads), a link of its attention "
                    + "L5H3.link=off@7->2, an output L5.attention=0 or L5.ffn*=2, the residual stream "
                    + "L5.mid=from:\"other prompt\"@4 (also .pre, .post), to which L5.post+=4*L3D42 adds a direction (a "
                    + "value vector, token:\" king\" or vectors.npy#3; +=0.5*norm*L3D42 times the row's norm) and from "
                    + "which L5.post-=L3D42 projects it out. Names of TransformerLens' hooks are read, too. Repeatable; "
                    + "edits hold together, those of one place in order."})
    private List<String> edits = new ArrayList<>();

    @Option(names = "--mode", paramLabel = "MODE", defaultValue = "exact", converter = ModeConverter.class,
            description = "exact, or lm-debugger: only L3D42=on and L3D42=off, at all positions; a neuron's last counts "
                    + "(default: ${DEFAULT-VALUE}).")
    private Mode mode;

    Intervention edits() {
        return Intervention.parse(mode, edits);
    }

    /** Reads the interventions of a file. */
    List<Intervention> read(Path file) {
        return read(file, mode);
    }

    /** Reads interventions, one a line: edits with semicolons between. */
    static List<Intervention> read(Path file, Mode mode) {
        return Lines.read(file, line -> Intervention.parse(mode, split(line))).list();
    }

    /** Divides a line at its semicolons, except for those within a quoted prompt. */
    private static List<String> split(String line) {
        var edits = new ArrayList<String>();
        boolean quoted = false;
        int begin = 0;
        for (int i = 0; i < line.length(); i++) {
            if (line.charAt(i) == '"') {
                quoted = !quoted;
            } else if (line.charAt(i) == ';' && !quoted) {
                edits.add(line.substring(begin, i));
                begin = i + 1;
            }
        }
        if (!line.substring(begin).isBlank()) { // a semicolon may end the line
            edits.add(line.substring(begin));
        }
        return edits;
    }

    static final class ModeConverter implements ITypeConverter<Mode> {
        @Override
        public Mode convert(String text) {
            try {
                return Mode.parse(text);
            } catch (IllegalArgumentException wrong) {
                throw new TypeConversionException(wrong.getMessage());
            }
        }
    }
}
