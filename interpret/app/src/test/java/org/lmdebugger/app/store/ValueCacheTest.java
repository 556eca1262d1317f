package org.lmdebugger.app.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CancellationException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.lmdebugger.app.cli.Main;
import org.lmdebugger.checkpoint.Fuzz;
import org.lmdebugger.checkpoint.ModelFiles;
import org.lmdebugger.interpret.TestModel;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.interpret.values.Projections;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.progress.Progress;

/** What is in the cache is what would be computed, or it is not used. */
class ValueCacheTest {
    private static final Progress NOBODY = (done, total) -> {};
    private static final Progress MUST_NOT = (done, total) -> {
        throw new AssertionError("it is built");
    };
    private static final int KILLS = 6;

    @AutoClose
    private static final TestModel sample = TestModel.open("sample");
    private static final Gpt2 model = sample.model();
    private static final String fingerprint = model.fingerprint();

    @TempDir
    private Path folder;

    private ValueCache cache() {
        return new ValueCache(folder, model, fingerprint);
    }

    private Path file(String name) {
        return folder.resolve("values").resolve(fingerprint).resolve(name);
    }

    private static List<Object> content(Projections projections) {
        return IntStream.range(0, 3072).mapToObj(v -> (Object) List.of(projections.of(new Neuron(v / 768, v % 768))))
                .toList();
    }

    @Test
    void builtOnceThenRead() throws IOException {
        var told = new ArrayList<Long>();
        try (var cache = cache()) {
            assertThat(cache.projections().find()).isEmpty();
            assertThat(cache.clusters().find()).isEmpty();
            var built = content(cache.projections().get((done, total) -> told.add(done)));
            var labels = cache.clusters().get(NOBODY).labels();
            assertThat(told).isSorted().endsWith(3072L);
            try (var other = cache()) {
                assertThat(content(other.projections().get(MUST_NOT))).isEqualTo(built);
                assertThat(other.clusters().get(MUST_NOT).labels()).isEqualTo(labels);
                assertThat(other.clusters().get(MUST_NOT).count()).isEqualTo(256);
                assertThat(other.clusters(255).find()).isEmpty();
            }
            var before = Files.getLastModifiedTime(file("projections-fp32"));
            assertThat(content(cache.projections().rebuild(NOBODY))).isEqualTo(built);
            assertThat(Files.getLastModifiedTime(file("projections-fp32"))).isGreaterThan(before);
        }
        try (var files = Files.list(file("x").getParent())) {
            assertThat(files.map(file -> file.getFileName().toString())).containsExactlyInAnyOrder("projections-fp32",
                    "projections-fp32.lock",
                    "clusters-256-fp32", "clusters-256-fp32.lock");
        }
    }

    private interface Harm {
        void to(RandomAccessFile file) throws IOException;
    }

    private static void flip(RandomAccessFile file, long at) throws IOException {
        file.seek(at);
        int b = file.read();
        file.seek(at);
        file.write(b ^ 4);
    }

    @Test
    void whatIsDamagedIsBuiltAgain() throws IOException {
        try (var cache = cache()) {
            var whole = cache.clusters().get(NOBODY).labels();
            List<Harm> harms = List.of(file -> file.setLength(0), file -> file.setLength(100),
                    file -> file.setLength(file.length() - 1),
                    file -> file.setLength(file.length() + 1), file -> flip(file, 3),
                    file -> flip(file, CacheFile.HEAD - 1),
                    file -> flip(file, CacheFile.HEAD + 7), file -> flip(file, file.length() - 1));
            for (var harm : harms) {
                try (var file = new RandomAccessFile(file("clusters-256-fp32").toFile(), "rw")) {
                    harm.to(file);
                }
                try (var again = cache()) {
                    assertThat(again.clusters().find()).isEmpty();
                    assertThat(again.clusters().get(NOBODY).labels()).isEqualTo(whole);
                    assertThat(again.clusters().get(MUST_NOT).labels()).isEqualTo(whole);
                }
            }
        }
    }

    @Test
    @Tag("slow")
    void norIsWhatIsSpoilt() throws IOException {
        try (var cache = cache()) {
            var labels = cache.clusters().get(NOBODY).labels();
            var whole = Files.readAllBytes(file("clusters-256-fp32"));
            Fuzz.run("files of the cache", 30, random -> {
                var spoilt = Fuzz.spoilt(whole, random);
                Files.write(file("clusters-256-fp32"), spoilt);
                try (var again = cache()) {
                    boolean found = again.clusters().find().isPresent();
                    assertThat(found).isEqualTo(Arrays.equals(spoilt, whole));
                    assertThat(again.clusters().get(NOBODY).labels()).isEqualTo(labels);
                    return found ? "same" : "built again";
                }
            });
        }
    }

    /** Nor if somebody moves the files. */
    @Test
    void anotherModelIsNotServedThis(@TempDir Path directory) throws IOException {
        try (var files = Files.list(model.files().directory())) {
            for (var file : files.toList()) {
                Files.copy(file, directory.resolve(file.getFileName().toString()));
            }
        }
        var weights = directory.resolve("model.safetensors");
        try (var file = new RandomAccessFile(weights.toFile(), "rw")) {
            flip(file, file.length() - 2); // of the last weight's mantissa
        }
        try (var changed = Gpt2.load(ModelFiles.of(directory), sample.device());
                var ours = cache();
                var others = new ValueCache(folder, changed, changed.fingerprint())) {
            assertThat(changed.fingerprint()).isNotEqualTo(fingerprint);
            ours.clusters().get(NOBODY);
            assertThat(others.clusters().find()).isEmpty();
            Files.createDirectories(folder.resolve("values").resolve(changed.fingerprint()));
            Files.copy(file("clusters-256-fp32"),
                    folder.resolve("values").resolve(changed.fingerprint()).resolve("clusters-256-fp32"));
            assertThat(others.clusters().find()).isEmpty();
        }
    }

    @Test
    void aBuildThatIsCancelledLeavesNothing() throws IOException {
        try (var cache = cache()) {
            assertThatThrownBy(() -> cache.projections().get((done, total) -> {
                throw new CancellationException();
            })).isInstanceOf(CancellationException.class);
            assertThat(cache.projections().find()).isEmpty();
            Files.write(file(".projections-fp32.part"), new byte[5000]); // a killed build's
            assertThat(cache.projections().find()).isEmpty();
            assertThat(cache.projections().get(NOBODY).k()).isEqualTo(50);
            assertThat(file(".projections-fp32.part")).doesNotExist();
        }
    }

    @Test
    void ofManyThreadsOneBuilds() throws Exception {
        var builds = new AtomicInteger();
        try (var cache = cache(); var threads = Executors.newFixedThreadPool(6)) {
            var results = new ArrayList<Future<int[]>>();
            for (int t = 0; t < 6; t++) {
                results.add(threads.submit(() -> cache.clusters().get((done, total) -> {
                    if (done == total) {
                        builds.incrementAndGet();
                    }
                }).labels()));
            }
            for (var result : results) {
                assertThat(result.get()).isEqualTo(results.getFirst().get());
            }
        }
        assertThat(builds).hasValue(1);
    }

    @ParameterizedTest
    @ValueSource(strings = {"cluster L2D253 --json", "search king --json"})
    @Tag("slow")
    void severalProcessesAtOnce(String command) throws Exception {
        var processes = new ArrayList<Process>();
        for (int p = 0; p < 3; p++) {
            processes.add(start(folder.resolve("log" + p), command));
        }
        for (int p = 0; p < 3; p++) {
            assertThat(processes.get(p).waitFor()).as(Files.readString(folder.resolve("log" + p))).isZero();
        }
        assertThat(start(folder.resolve("log3"), command).waitFor()).isZero();
        for (int p = 0; p < 3; p++) {
            assertThat(json(folder.resolve("log" + p))).isEqualTo(json(folder.resolve("log3")))
                    .hasSizeGreaterThan(1000);
        }
    }

    /** What a process printed, without what it said of its progress. */
    private static String json(Path log) throws IOException {
        var text = Files.readString(log);
        return text.substring(text.indexOf('{'));
    }

    private Process start(Path log, String command) throws IOException {
        return Processes.start(log, Main.class, arguments(command));
    }

    private String[] arguments(String command) {
        return ("values " + command + " --device cpu --cache " + folder).split(" ");
    }

    /** Half of them somewhere in the work, half while the file is written. */
    @Test
    @Tag("slow")
    void aKilledBuildLeavesNothingThatIsTrusted() throws Exception {
        var random = new Random(Long.getLong("test.seed", 7));
        var part = file(".projections-fp32.part");
        var lock = file("projections-fp32.lock");
        int left = 0;
        for (int kill = 0; kill < KILLS; kill++) {
            var process = start(folder.resolve("log"), "search king --rebuild");
            boolean late = kill % 2 == 1;
            Files.deleteIfExists(lock);
            while (process.isAlive() && !Files.exists(late ? part : lock)) {
                Thread.sleep(Duration.ofNanos(100_000)); // writing the file takes longer
            }
            if (!late) {
                Thread.sleep(random.nextInt(100));
            }
            process.destroyForcibly().waitFor();
            left += Files.exists(part) ? 1 : 0;
            try (var cache = cache()) {
                cache.projections().find()
                        .ifPresent(found -> assertThat(content(found)).isEqualTo(content(computed())));
            }
        }
        System.out.println("killed " + KILLS + " times, " + left + " of them with a part left");
        try (var cache = cache()) {
            assertThat(content(cache.projections().get(NOBODY))).isEqualTo(content(computed()));
        }
    }

    /** In a cache of its own. */
    private Projections computed() {
        var other = new ValueCache(folder.resolve("other"), model, fingerprint); // mapped until the tests end
        return other.projections().get(NOBODY);
    }

    @Test
    void aFolderThatCannotBeWrittenIsSaid() throws IOException {
        Files.createFile(folder.resolve("values"));
        try (var cache = cache()) {
            assertThatThrownBy(() -> cache.clusters().get(NOBODY)).isInstanceOf(UncheckedIOException.class)
                    .hasMessageContaining(folder.toString());
        }
    }
}
