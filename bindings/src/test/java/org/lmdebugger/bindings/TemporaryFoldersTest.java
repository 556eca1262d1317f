package org.lmdebugger.bindings;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TemporaryFoldersTest {
    @TempDir
    Path parent;

    /** A folder with a file, as old as anything. */
    private Path old(String name) throws IOException {
        var folder = Files.createDirectory(parent.resolve(name));
        Files.writeString(folder.resolve("library.so"), "a library");
        return Files.setLastModifiedTime(folder, FileTime.fromMillis(0));
    }

    @Test
    void foldersOfKilledProcessesAreDeletedWhenTheNextIsMade() throws Exception {
        var process = new ProcessBuilder("true").start();
        process.waitFor();
        var abandoned = old("lmdebugger-%d-1".formatted(process.pid()));
        var others = new Path[] {
                old("lmdebugger-%d-2".formatted(ProcessHandle.current().pid())), // a process that lives
                old("lmdebugger-bench"),
                old("elsewhere"),
                Files.createDirectory(parent.resolve("lmdebugger-%d-3".formatted(process.pid()))), // perhaps of a container
                Files.createSymbolicLink(parent.resolve("lmdebugger-%d-4".formatted(process.pid())),
                        parent.resolve("elsewhere"))};
        var own = TemporaryFolders.create(parent);
        assertThat(own).isEmptyDirectory().hasParent(parent);
        assertThat(own.getFileName().toString()).startsWith("lmdebugger-%d-".formatted(ProcessHandle.current().pid()));
        assertThat(abandoned).doesNotExist();
        assertThat(others).allSatisfy(folder -> assertThat(folder).exists());
        assertThat(parent.resolve("elsewhere/library.so")).exists();
    }
}
