package org.lmdebugger.app.cli;

import java.nio.file.Path;
import org.lmdebugger.app.store.Folders;
import org.lmdebugger.app.store.Names;
import org.lmdebugger.interpret.Debugger;
import picocli.CommandLine.Option;

/** The folder of the names of value vectors. */
final class NameOptions {
    @Option(names = "--data", paramLabel = "DIR",
            description = "Where names and experiments are kept (default: $XDG_DATA_HOME/lmdebugger, "
                    + "else ~/.local/share/lmdebugger).")
    private Path data;

    Path folder() {
        return data == null ? Folders.data() : data;
    }

    Names names(Debugger debugger) {
        return new Names(folder(), debugger.model()::fingerprint);
    }
}
