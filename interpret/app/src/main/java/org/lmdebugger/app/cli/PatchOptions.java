package org.lmdebugger.app.cli;

import java.util.List;
import java.util.Map;
import org.lmdebugger.app.json.PatchingJson;
import org.lmdebugger.interpret.patch.Patching.Columns;
import org.lmdebugger.interpret.patch.Patching.Direction;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** The options that define how a pair is patched, here and on a Spark cluster. */
public final class PatchOptions {
    private static final Map<String, List<String>> SEVERAL = Map.of("streams", List.of("pre", "mid", "post"));

    @Option(names = "--sites", paramLabel = "S", split = ",", defaultValue = "pre,attention,ffn,heads",
            description = "Parts that are patched, one at a time: pre, mid, post (streams is all three), attention, ffn; "
                    + "heads, q, k, v, pattern; neurons; also of some layers: heads:L2-4 (default: ${DEFAULT-VALUE}).")
    private List<String> sites;

    @Option(names = "--direction", paramLabel = "D", defaultValue = "denoise",
            description = "denoise: CORRUPTED runs, activations are CLEAN's; or noise, the other way round "
                    + "(default: ${DEFAULT-VALUE}).")
    private String direction;

    @Option(names = "--at", paramLabel = "P", defaultValue = "each",
            description = "each position by itself, or all at once (default: ${DEFAULT-VALUE}).")
    private String at;

    @Option(names = "--by", paramLabel = "B", defaultValue = "position",
            description = "Columns of --at each: position, for pairs of one length; or role, the named positions of each pair "
                    + "(default: ${DEFAULT-VALUE}).")
    private String by;

    @Mixin
    private EditOptions edits;

    /** Returns the patchings, whose sites are not read yet. @throws IllegalArgumentException naming another option that is wrong */
    public PatchingJson patchings() {
        boolean all = PatchingJson.choice("--at", at, List.of("each", "all")).equals("all");
        boolean roles = PatchingJson.choice("--by", by, List.of("position", "role")).equals("role");
        if (all && roles) {
            throw new IllegalArgumentException("--by: role (expected: --at each)");
        }
        return new PatchingJson(
                sites.stream().flatMap(site -> SEVERAL.getOrDefault(site, List.of(site)).stream()).distinct().toList(),
                way(direction), all ? Columns.ALL : roles ? Columns.ROLES : Columns.POSITIONS, edits.edits().texts());
    }

    /** Returns the direction that an option names. */
    static Direction way(String direction) {
        return PatchingJson.choice("--direction", direction, List.of(Direction.DENOISE, Direction.NOISE));
    }
}
