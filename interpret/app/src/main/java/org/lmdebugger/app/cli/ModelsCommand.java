package org.lmdebugger.app.cli;

import java.util.concurrent.Callable;
import org.lmdebugger.hub.ModelSource;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

@Command(name = "models", mixinStandardHelpOptions = true,
        description = "Lists the models that --model finds by name, and where they lie.")
final class ModelsCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        var out = spec.commandLine().getOut();
        var source = ModelSource.system();
        var models = source.list();
        int width = models.stream().mapToInt(model -> model.name().length()).max().orElse(0);
        for (var model : models) {
            out.println("%s %7.1f MB  %s".formatted(Text.fit(model.name(), width), model.byteSize() / 1e6,
                    model.directory()));
        }
        out.println("Searched: the models that come with lmdebug, and the Hugging Face cache " + source.hub());
        return 0;
    }
}
