package org.lmdebugger.bindings;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NativeLibrariesTest {
    private static final String PROPERTY = "lmdebugger.test.library";

    @TempDir
    Path directory;

    @AfterEach
    void clear() {
        System.clearProperty(PROPERTY);
        System.clearProperty(NativeLibraries.DIRECTORY);
    }

    @Test
    void aNamedLibraryThatIsMissingIsSaidByName() {
        System.setProperty(PROPERTY, directory.resolve("libnone.so").toString());
        assertThatThrownBy(() -> NativeLibraries.loadFrom(PROPERTY)).isInstanceOf(NativeLibraryException.class)
                .hasMessageContaining(PROPERTY).hasMessageContaining("libnone.so");
    }

    @Test
    void whatIsNotOnTheClassPathIsSaidWithTheFix() {
        assertThatThrownBy(() -> NativeLibraries
                .loadFromClassPath("no/such/", List.of("libnone.so"), "the:artifact", PROPERTY))
                        .isInstanceOf(NativeLibraryException.class)
                        .hasMessage("no/such/libnone.so: not on the class path (expected: the:artifact there, or -D"
                                + PROPERTY + " to name an installed library)");
    }

    @Test
    void aLibraryThatDoesNotLoadLeavesNothingBehind() throws Exception {
        System.setProperty(NativeLibraries.DIRECTORY, directory.toString());
        var aClass = "NativeLibrariesTest.class"; // a file on the class path that is no library
        assertThatThrownBy(() -> NativeLibraries
                .loadFromClassPath("org/lmdebugger/bindings/", List.of(aClass), "x", PROPERTY))
                        .isInstanceOf(NativeLibraryException.class).hasMessageContaining(NativeLibraries.DIRECTORY);
        assertThat(Files.list(directory)).isEmpty();
    }

    @Test
    void anUnwritableDirectoryIsSaidWithTheFix() {
        System.setProperty(NativeLibraries.DIRECTORY, directory.resolve("none").toString());
        assertThatThrownBy(() -> NativeLibraries
                .loadFromClassPath("org/lmdebugger/bindings/", List.of("x"), "x", PROPERTY))
                        .isInstanceOf(NativeLibraryException.class)
                        .hasMessageContaining("set -D" + NativeLibraries.DIRECTORY);
    }

    @Test
    void platformsAreRecognisedAndOthersRefused() {
        assertThat(Platform.of("Linux", "amd64")).isEqualTo(Platform.LINUX_X86_64);
        assertThat(Platform.of("Mac OS X", "aarch64")).isEqualTo(Platform.MACOSX_ARM64);
        assertThatThrownBy(() -> Platform.of("Plan 9", "sparc")).isInstanceOf(NativeLibraryException.class)
                .hasMessageContaining("plan 9-sparc").hasMessageContaining("linux-x86_64");
    }
}
