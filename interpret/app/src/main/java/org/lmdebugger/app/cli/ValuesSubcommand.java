package org.lmdebugger.app.cli;

import picocli.CommandLine.Mixin;

/** A command on a model's value vectors, which may have names. */
abstract class ValuesSubcommand extends ModelCommand {
    @Mixin
    NameOptions names;
}
