package org.lmdebugger.files;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AtomicFileTest {
    @TempDir
    private Path folder;

    @Test
    void replacesWhatIsThere() throws IOException {
        var file = Files.writeString(folder.resolve("x"), "a longer text of before");
        Files.writeString(folder.resolve(".x.part"), "what a writer that was killed has left of a very long text");
        AtomicFile.write(file, "new".getBytes());
        assertThat(file).hasContent("new");
        assertThat(folder).isDirectoryContaining(file::equals).isDirectoryNotContaining("glob:**.part");
    }

    @Test
    void aFailureLeavesTheOldFileAndNothingElse() throws IOException {
        var file = Files.writeString(folder.resolve("x"), "old");
        assertThatThrownBy(() -> AtomicFile.write(file, part -> {
            Files.writeString(part, "ne");
            throw new IOException("no room");
        })).hasMessage("no room");
        assertThatThrownBy(() -> AtomicFile.write(file, part -> {
            Files.writeString(part, "ne");
            throw new IllegalStateException("a mistake");
        })).hasMessage("a mistake");
        assertThat(file).hasContent("old");
        assertThat(folder.resolve(".x.part")).doesNotExist();
    }

    @Test
    void aPlaceThatCannotBeWrittenIsNamed() {
        var file = folder.resolve("missing/x");
        assertThatThrownBy(() -> AtomicFile.write(file, new byte[1])).isInstanceOf(IOException.class)
                .hasMessageContaining("missing");
    }
}
