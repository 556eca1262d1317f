package org.lmdebugger.bindings;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CudaPlacesTest {
    @TempDir
    Path root;

    @Test
    void toolkitsComeBeforeWheels() throws IOException {
        var environment = Map.of("CUDA_PATH", path("path"), "CUDA_HOME", path("home"), "VIRTUAL_ENV", path("venv"),
                "CONDA_PREFIX", path("conda"));
        var venv = made("venv/lib/python3.12/site-packages/nvidia/cu13/lib");
        var conda = made("conda/lib/python3.13/site-packages/nvidia/cu13/lib");
        assertThat(CudaPlaces.directories(environment, root.resolve("toolkit"), List.of(root.resolve("site"))))
                .containsExactly(root.resolve("path/lib64"), root.resolve("path/lib"),
                        root.resolve("home/lib64"), root.resolve("home/lib"),
                        root.resolve("toolkit/lib64"), root.resolve("toolkit/lib"),
                        venv, root.resolve("conda/lib"), conda, root.resolve("site/nvidia/cu13/lib"));
    }

    @Test
    void theSharedDirectoryOfCuda13ComesBeforeThoseOfSingleWheels() throws IOException {
        var blas = made("site/nvidia/cublas/lib");
        var shared = made("site/nvidia/cu13/lib");
        var runtime = made("site/nvidia/cuda_runtime/lib");
        assertThat(CudaPlaces.directories(Map.of(), root, List.of(root.resolve("site"))))
                .endsWith(shared, blas, runtime);
    }

    @Test
    void anEnvironmentWithoutPythonIsStillNamed() {
        assertThat(CudaPlaces.directories(Map.of("VIRTUAL_ENV", path("venv")), root, List.of()))
                .contains(root.resolve("venv/lib/python3*/site-packages/nvidia/cu13/lib"));
    }

    @Test
    void emptyVariablesAndRepeatedPlacesAddNothing() {
        var environment = Map.of("CUDA_PATH", "", "CUDA_HOME", root.toString());
        assertThat(CudaPlaces.directories(environment, root, List.of()))
                .containsExactly(root.resolve("lib64"), root.resolve("lib"));
    }

    @Test
    void pythonIsBelievedAboutItsPackages() {
        var notes = new ArrayList<String>();
        var command = List.of("printf", "/usr/lib/python3/dist-packages\\n/root/.local\\nwarning: not a path\\n");
        assertThat(CudaPlaces.pythonSitePackages(command, notes))
                .containsExactly(Path.of("/usr/lib/python3/dist-packages"), Path.of("/root/.local"));
        assertThat(notes).isEmpty();
    }

    @Test
    void aMissingPythonIsNoted() {
        var notes = new ArrayList<String>();
        assertThat(CudaPlaces.pythonSitePackages(List.of("no-such-python3"), notes)).isEmpty();
        assertThat(notes).singleElement().asString().startsWith("no-such-python3: cannot be asked");
    }

    private String path(String name) {
        return root.resolve(name).toString();
    }

    private Path made(String name) throws IOException {
        return Files.createDirectories(root.resolve(name));
    }
}
