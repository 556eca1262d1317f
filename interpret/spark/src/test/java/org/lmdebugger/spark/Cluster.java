package org.lmdebugger.spark;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** A standalone cluster of Spark's on loopback: a master and two workers of a core each, all processes. */
final class Cluster {
    private static final String CLASS_PATH = System.getProperty("java.class.path");
    private static final Duration LONG = Duration.ofMinutes(15); // a bound for a busy machine alone

    private final Path directory;
    private final Map<String, String> environment;
    private final String master;
    private final List<Process> daemons = new ArrayList<>();
    private final List<Process> workers = new ArrayList<>();

    /** Starts the cluster, whose logs and temporary files are in {@code directory}, where its processes start. */
    Cluster(Path directory) throws IOException {
        this(directory, Map.of(), "");
    }

    /**
     * Starts the cluster.
     *
     * @param environment further variables of all its processes
     * @param settings    of the workers, as in a file of properties
     */
    Cluster(Path directory, Map<String, String> environment, String settings) throws IOException {
        this.directory = directory;
        this.environment = environment;
        Files.createDirectories(directory.resolve("home/jars")); // empty: executors have this process's class path
        int port;
        try (var free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        master = "spark://127.0.0.1:" + port;
        daemons.add(start("master", "org.apache.spark.deploy.master.Master", "--host", "127.0.0.1", "--port", "" + port,
                "--webui-port", "0"));
        var properties = Files.writeString(directory.resolve("worker.properties"), settings).toString();
        for (int i = 0; i < 2; i++) {
            workers.add(
                    start("worker" + i, "org.apache.spark.deploy.worker.Worker", "--host", "127.0.0.1", "--webui-port",
                            "0", "--cores", "1", "--memory", "1g", "--work-dir",
                            directory.resolve("work" + i).toString(), "--properties-file", properties, master));
        }
        daemons.addAll(workers);
    }

    private Process start(String log, String... arguments) throws IOException {
        var java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        var builder = new ProcessBuilder(
                Stream.concat(Stream.of(java, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", // as it does not live long
                        "-cp", CLASS_PATH), Stream.of(arguments)).toList());
        builder.directory(directory.toFile());
        builder.environment().putAll(environment);
        builder.environment().put("SPARK_HOME", directory.resolve("home").toString());
        builder.environment().put("SPARK_LOCAL_IP", "127.0.0.1");
        builder.environment().put("SPARK_SCALA_VERSION", "2.13");
        return builder.redirectErrorStream(true).redirectOutput(log(log).toFile()).start();
    }

    private Path log(String name) {
        return directory.resolve(name + ".log");
    }

    /**
     * Starts a driver as spark-submit does.
     *
     * @param log     name of its log
     * @param options of spark-submit
     */
    Process submit(String log, List<String> options, String... arguments) throws IOException {
        var submit = Stream.of("org.apache.spark.deploy.SparkSubmit", "--master", master, "--class",
                Main.class.getName(),
                "--conf", "spark.executor.extraClassPath=" + CLASS_PATH, "--conf", "spark.executor.memory=512m",
                "--conf",
                "spark.executor.cores=1", "--conf", "spark.ui.enabled=false");
        return start(log, Stream.of(submit, options.stream(), Stream.of("spark-internal"), Stream.of(arguments))
                .flatMap(each -> each).toArray(String[]::new));
    }

    /** Waits for a driver's end; returns what it printed. */
    String await(Process driver, String log, int code) throws IOException, InterruptedException {
        assertThat(driver.waitFor(LONG)).as("the driver ends").isTrue();
        var printed = Files.readString(log(log));
        assertThat(driver.exitValue()).as(printed).isEqualTo(code);
        return printed;
    }

    /** Kills a process and those that it started. */
    static void kill(Process process) throws InterruptedException {
        var all = Stream.concat(process.descendants(), Stream.of(process.toHandle())).toList();
        all.forEach(ProcessHandle::destroyForcibly);
        process.waitFor();
    }

    void killWorker(int number) throws InterruptedException {
        kill(workers.get(number));
    }

    /** Kills what is left of the cluster. */
    void stop() throws InterruptedException {
        for (var each : daemons.reversed()) {
            kill(each);
        }
    }
}
