package org.lmdebugger.app.json;

import java.util.List;
import java.util.stream.Collectors;
import org.lmdebugger.interpret.edit.Intervention;
import org.lmdebugger.interpret.edit.PartSelection;
import org.lmdebugger.interpret.patch.Patching;
import org.lmdebugger.text.Shown;

/**
 * Patchings that are computed together, as JSON that is read as the same patchings.
 *
 * @param sites the parts of each, in their text forms
 * @param edits that hold in every run, in their text forms
 */
public record PatchingJson(List<String> sites, Patching.Direction direction, Patching.Columns columns,
        List<String> edits) {
    /** Returns a patching for each of the sites. @throws IllegalArgumentException naming a text that is not a text form */
    public List<Patching> read() {
        var inEveryRun = Intervention.parse(edits.toArray(String[]::new));
        return sites.stream()
                .map(site -> new Patching(PartSelection.parse(site), direction, columns, inEveryRun)).toList();
    }

    /** Returns that of some choices whose text is given; the first if none is. @param name of what is chosen, for messages */
    public static <T> T choice(String name, String given, List<T> choices) {
        return given == null ? choices.getFirst()
                : choices.stream().filter(each -> each.toString().equals(given)).findFirst()
                        .orElseThrow(() -> new IllegalArgumentException("%s: %s (expected: %s)".formatted(name,
                                Shown.of(given),
                                choices.stream().map(Object::toString).collect(Collectors.joining(" or ")))));
    }
}
