package org.lmdebugger.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.lmdebugger.device.Emulation;
import org.lmdebugger.device.OnEveryDevice;
import org.lmdebugger.device.TestDevice;
import org.lmdebugger.interpret.sweep.Measure;
import org.lmdebugger.interpret.sweep.Sweep;

/** A sweep on a GPU that Spark chooses, by emulation: the second card of each worker, of another kind than the first. */
@OnEveryDevice
class GpuSchedulingTest {
    private static final String DEVICES = "LMDEBUGGER_EMULATED_DEVICES";
    private static final String CAPABILITIES = "LMDEBUGGER_EMULATED_CAPABILITIES";

    @Test
    void tasksComputeOnTheGpuWhoseAddressSparkGives(@TempDir Path directory) throws IOException, InterruptedException {
        assumeTrue(TestDevice.isEmulated(), "elsewhere it is not known which cards there are");
        var sweep = Sweep.of("The king").layers(3).off().atLast().measure(Measure.kl()).memory(1 << 20);
        try (var _ = Emulation.set(DEVICES, 2); var _ = Emulation.set(CAPABILITIES, "90,80")) {
            SingleProcess.run("cuda:1", sweep, 4, directory.resolve("plan.json"), directory.resolve("single"));
        }
        var discovery = Files.writeString(directory.resolve("gpus"),
                "#!/bin/sh\necho '{\"name\": \"gpu\", \"addresses\": [\"1\"]}'\n");
        assertThat(discovery.toFile().setExecutable(true)).isTrue();
        var cluster = new Cluster(Files.createDirectory(directory.resolve("cluster")),
                Map.of(DEVICES, "2", CAPABILITIES, "90,80"), """
                        spark.worker.resource.gpu.amount 1
                        spark.worker.resource.gpu.discoveryScript %s
                        """.formatted(discovery));
        try {
            var emulation = Stream.of("lmdebugger.cuda.path", "lmdebugger.native.library")
                    .map(name -> "-D" + name + "=" + System.getProperty(name)).toList();
            var driver = cluster.submit("driver", List.of("--conf", "spark.executor.resource.gpu.amount=1", "--conf",
                    "spark.task.resource.gpu.amount=1", "--conf",
                    "spark.executor.extraJavaOptions=" + String.join(" ", emulation)), "sweep", "--plan",
                    directory.resolve("plan.json").toString(), "--group", "4", "--out",
                    directory.resolve("results").toString());
            cluster.await(driver, "driver", 0);
        } finally {
            cluster.stop();
        }
        assertThat(Files.readString(directory.resolve("results/manifest.json"))).contains("compute capability 8.0");
        SingleProcess.assertSame(directory.resolve("results"), directory.resolve("single"));
    }
}
