package org.lmdebugger.app.cli;

import org.lmdebugger.app.json.CorpusJson;
import org.lmdebugger.app.json.Json;
import org.lmdebugger.app.store.CorpusStore;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

@Command(name = "list", mixinStandardHelpOptions = true,
        description = "Lists the corpora that were built for the model.")
final class CorpusListCommand extends ModelCommand {
    @Mixin
    private JsonOption json;

    @Override
    public Integer call() {
        return model.withCorpora((debugger, corpora) -> {
            var all = corpora.corpora().list();
            var out = spec.commandLine().getOut();
            if (json.isGiven()) {
                out.println(Json.print(CorpusJson.Corpora.of(all)));
                return 0;
            }
            all.forEach(each -> out.println("%s %s, %s, windows of at most %d, %,.0f MB".formatted(
                    Text.fit(each.name(), 20), CorpusBuildCommand.count(each.documents(), "document"),
                    CorpusBuildCommand.count(each.tokens(), "token"), each.window(), each.bytes() / 1e6)));
            if (corpora.mustBeBuilt(CorpusStore.BUNDLED)) {
                out.println(Text.fit(CorpusStore.BUNDLED, 20) + " comes along; it is built when it is first used");
            }
            out.flush();
            return 0;
        });
    }
}
