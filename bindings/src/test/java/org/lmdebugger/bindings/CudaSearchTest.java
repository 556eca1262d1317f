package org.lmdebugger.bindings;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CudaSearchTest {
    private static final String NAME = "liblmdebugger-none.so.13"; // that no machine has

    @TempDir
    Path root;

    private Path first;
    private Path second;
    private CudaSearch search;

    @BeforeEach
    void twoPlaces() throws IOException {
        first = Files.createDirectory(root.resolve("first"));
        second = Files.createDirectory(root.resolve("second"));
        search = new CudaSearch(false, () -> List.of(first, second));
    }

    @Test
    void everyPlaceIsNamedWithWhatItLacks() {
        assertThat(CudaLibraries.loadAll(search)).isFalse();
        assertThat(search.tried()).containsExactly(
                first + ": no libcudart.so.13, libcublasLt.so.13, libcublas.so.13",
                second + ": no libcudart.so.13, libcublasLt.so.13, libcublas.so.13");
    }

    @Test
    void aFileThatDoesNotLoadIsPassedOverWithTheLinkersReason() throws IOException {
        Files.writeString(first.resolve(NAME), "no library");
        realLibrary(second.resolve(NAME));
        assertThat(search.load(NAME, null)).isTrue();
        assertThat(search.tried()).hasSize(2);
        assertThat(search.tried().getFirst()).startsWith(first.resolve(NAME) + ": does not load: ")
                .containsAnyOf("file too short", "invalid ELF header");
        assertThat(search.tried().getLast()).isEqualTo(second.resolve(NAME) + ": loaded");
    }

    @Test
    void theFirstPlaceWins() throws IOException {
        realLibrary(first.resolve(NAME));
        realLibrary(second.resolve(NAME));
        assertThat(search.load(NAME, null)).isTrue();
        assertThat(search.tried()).containsExactly(first.resolve(NAME) + ": loaded");
    }

    @Test
    void aNeighbourIsLoadedIfItIsThere() throws IOException {
        realLibrary(second.resolve(NAME));
        realLibrary(second.resolve("neighbour.so"));
        realLibrary(first.resolve("stranger.so"));
        assertThat(search.load(NAME, null)).isTrue();
        search.loadNeighbour("stranger.so");
        search.loadNeighbour("neighbour.so");
        assertThat(search.tried()).containsExactly(first + ": no " + NAME, second.resolve(NAME) + ": loaded",
                second.resolve("neighbour.so") + ": loaded");
    }

    @Test
    void allMissingFunctionsAreReportedAtOnce() throws IOException {
        realLibrary(first.resolve(NAME));
        assertThat(search.load(NAME, "cublas")).isFalse();
        assertThat(search.tried().getLast()).isEqualTo(first.resolve(NAME) + ": lacks "
                + "cublasCreate_v2, cublasDestroy_v2, cublasGemmEx, cublasGemmStridedBatchedEx, "
                + "cublasGetStatusName, cublasGetStatusString, cublasGetVersion_v2, cublasSetMathMode, "
                + "cublasSetStream_v2, cublasSetWorkspace_v2");
    }

    @Test
    void theLinkerIsAskedFirstAndDirectoriesOnlyIfItDoesNotKnow() {
        assumeTrue(Platform.current() == Platform.LINUX_X86_64, "CUDA is looked for on Linux alone");
        var asked = new AtomicInteger();
        var byName = new CudaSearch(true, () -> {
            asked.incrementAndGet();
            return List.of(first);
        });
        assertThat(byName.load("libm.so.6", null)).isTrue();
        assertThat(asked).hasValue(0);
        assertThat(byName.load(NAME, null)).isFalse();
        assertThat(asked).hasValue(1);
        assertThat(byName.tried()).hasSize(3);
        assertThat(byName.tried().get(0)).isEqualTo("the dynamic linker (LD_LIBRARY_PATH, ldconfig): no " + NAME);
        assertThat(byName.tried().get(1)).isEqualTo(first + ": no " + NAME);
        assertThat(byName.tried().get(2)).endsWith("libm.so.6: loaded");
    }

    @Test
    void theNamedDirectoryIsTheOnlyOne() {
        var log = new ArrayList<String>();
        var named = CudaLibraries.search(first.toString(), Map.of("CUDA_PATH", second.toString()), log);
        assertThat(CudaLibraries.loadAll(named)).isFalse();
        assertThat(named.tried()).containsExactly(first + ": no libcudart.so.13, libcublasLt.so.13, libcublas.so.13");
        assertThat(log).isEmpty();
    }

    @Test
    void whoAskedForTheDeviceIsToldEverythingAndTheFix() {
        var reasons = new CudaLibraries.Unavailable(List.of("here: no this", "there: no that"));
        assertThatThrownBy(() -> {
            throw reasons.exception("cuda:1");
        }).hasMessageStartingWith("device: cuda:1: not usable (expected: an NVIDIA GPU with driver 580 or newer")
                .hasMessageContaining("-Dlmdebugger.cuda.path=").hasMessageEndingWith(
                        "tried:%n  here: no this%n  there: no that".formatted());
    }

    @Test
    void onceTriedAlwaysAnsweredTheSame() {
        assertThat(CudaLibraries.load()).isSameAs(CudaLibraries.load());
    }

    /** Any small library will do. */
    private static void realLibrary(Path to) throws IOException {
        assumeTrue(Platform.current() == Platform.LINUX_X86_64, "CUDA is looked for on Linux alone");
        var any = "/org/bytedeco/openblas/linux-x86_64/libquadmath.so.0";
        try (var library = CudaSearchTest.class.getResourceAsStream(any)) {
            Files.copy(library, to);
        }
    }
}
