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
            "Changes a coefficient: L3D42=0, L3D42*=2, L3D42+=1.5, L3D42=from:\"other prompt\", or, as LM-Debugger does it, "
                    + "L3D42=on or L3D42=off; then @all (default), @prompt, @generated, @last, @3, @1,4 or @2..5. "
                    + "Repeatable; edits hold together, in order."})
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
        return Utf8.lines(file).entrySet().stream().map(line -> {
            try {
                return Intervention.parse(mode, split(line.getValue()));
            } catch (IllegalArgumentException wrong) {
                throw new IllegalArgumentException(file + ": line " + line.getKey() + ": " + wrong.getMessage(), wrong);
            }
        }).toList();
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
