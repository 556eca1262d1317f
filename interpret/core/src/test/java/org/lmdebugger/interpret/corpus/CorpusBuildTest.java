package org.lmdebugger.interpret.corpus;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.CancellationException;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.lmdebugger.checkpoint.ModelFiles;
import org.lmdebugger.device.DelegatingDevice;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.ElementType;
import org.lmdebugger.device.OutOfDeviceMemoryException;
import org.lmdebugger.device.Tensor;
import org.lmdebugger.device.TestDevice;
import org.lmdebugger.interpret.RandomCheckpoint;
import org.lmdebugger.interpret.corpus.Corpus.Window;
import org.lmdebugger.interpret.edit.Neuron;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.Site;
import org.lmdebugger.progress.Progress;

/** A corpus has the same bits in whatever batches and after whatever interruptions it was built; and bad input. */
@TestInstance(Lifecycle.PER_CLASS)
class CorpusBuildTest {
    private static final long NEVER = Long.MAX_VALUE; // nanoseconds
    private static final RandomCheckpoint SMALL = new RandomCheckpoint(2, 2, 32, 64, 8192);

    private Path directory;

    @AutoClose
    private final Device device = TestDevice.open();
    private Gpt2 model;

    @BeforeAll
    void load(@TempDir Path folder) {
        directory = folder;
        model = model(1);
    }

    @AfterAll
    void close() {
        model.close();
    }

    private Gpt2 model(long seed) {
        try {
            var own = Files.createDirectory(directory.resolve("model" + seed));
            return Gpt2.load(new ModelFiles("small", SMALL.write(own, seed)), device);
        } catch (IOException failure) {
            throw new AssertionError(failure);
        }
    }

    private Corpus corpus() {
        return Corpus.of(model, CorpusTest.documents(150, 60, 1), 32);
    }

    private Path file(Path cache, String name) {
        return cache.resolve("corpora").resolve(model.fingerprint()).resolve(name);
    }

    private byte[] built(Path cache, int rows) throws IOException {
        new Corpora(cache, model, rows, NEVER).build("a", corpus(), Progress.NONE);
        return Files.readAllBytes(file(cache, "a.corpus"));
    }

    /** Below that, products of a few rows are computed by another kernel than those of many. */
    @Test
    void batchesOfAnySizeFrom512RowsOnGiveTheSameBits(@TempDir Path one, @TempDir Path two, @TempDir Path three)
            throws IOException {
        var bytes = built(one, 512);
        assertThat(built(two, 1000)).isEqualTo(bytes);
        assertThat(built(three, 1 << 20)).isEqualTo(bytes);
    }

    @Test
    void everyWindowIsInOneBatchAndBatchesOfOneLengthHaveEvenSizes() {
        var corpus = corpus();
        var source = new Batch.Source(corpus);
        for (int rows : new int[] {1, 100, 512}) {
            var windows = new ArrayList<Window>();
            while (windows.size() < corpus.windows().size()) {
                var batch = source.at(windows.size(), rows);
                assertThat(batch.rows()).isLessThanOrEqualTo(Math.max(rows, batch.length()))
                        .isEqualTo(batch.windows().size() * batch.length());
                windows.addAll(batch.windows());
            }
            assertThat(windows).isEqualTo(corpus.windows());
        }
        assertThat(source.at(0, 512).windows()).hasSizeBetween(8, 16);
    }

    @Test
    void aBuildThatIsEndedAtAnyMomentGoesOnToTheSameBits(@TempDir Path whole, @TempDir Path cache) throws IOException {
        var bytes = built(whole, 64);
        var corpora = new Corpora(cache, model, 64, NEVER);
        for (int attempt = 1; attempt <= 10; attempt++) {
            int batches = attempt;
            var calls = new int[1];
            assertThatThrownBy(() -> corpora.build("a", corpus(), (done, total) -> {
                if (++calls[0] == batches) {
                    throw new CancellationException();
                }
            })).isInstanceOf(CancellationException.class);
            assertThat(file(cache, "a.building")).exists();
            assertThat(file(cache, "a.corpus")).doesNotExist();
            assertThat(corpora.list()).isEmpty();
            if (attempt % 4 == 0) { // a kill between two states: the last one counts
                var state = Files.readAllBytes(file(cache, "a.building"));
                assertThatThrownBy(() -> corpora.build("a", corpus(), (done, total) -> {
                    throw new CancellationException();
                })).isInstanceOf(CancellationException.class);
                Files.write(file(cache, "a.building"), state);
            }
        }
        var progress = new ArrayList<Long>();
        corpora.build("a", corpus(), (done, total) -> progress.add(done));
        assertThat(progress).isSorted().last().isEqualTo((long) corpus().tokens());
        assertThat(Files.readAllBytes(file(cache, "a.corpus"))).isEqualTo(bytes);
        assertThat(file(cache, "a.building")).doesNotExist();
    }

    @Test
    void stateIsSavedWhileABuildGoesOn(@TempDir Path cache) {
        var corpora = new Corpora(cache, model, 64, 0);
        var calls = new int[1];
        corpora.build("a", corpus(), (done, total) -> {
            if (++calls[0] > 1) {
                assertThat(file(cache, "a.building")).exists();
            }
        });
        assertThat(calls[0]).isGreaterThan(10);
    }

    @Test
    void aDamagedStateAndOneOfAnotherCorpusAreNotUsed(@TempDir Path whole, @TempDir Path cache) throws IOException {
        var bytes = built(whole, 512);
        var corpora = new Corpora(cache, model, 512, NEVER);
        Progress cancel = (done, total) -> {
            throw new CancellationException();
        };
        assertThatThrownBy(() -> corpora.build("a", corpus(), cancel)).isInstanceOf(CancellationException.class);
        var state = Files.readAllBytes(file(cache, "a.building"));
        state[state.length / 2] ^= 1;
        Files.write(file(cache, "a.building"), state);
        corpora.build("a", corpus(), Progress.NONE);
        assertThat(Files.readAllBytes(file(cache, "a.corpus"))).isEqualTo(bytes);

        var other = Corpus.of(model, CorpusTest.documents(30, 60, 2), 32);
        assertThatThrownBy(() -> corpora.build("b", other, cancel)).isInstanceOf(CancellationException.class);
        corpora.build("b", corpus(), Progress.NONE);
        assertThat(Files.readAllBytes(file(cache, "b.corpus"))).isEqualTo(bytes);
    }

    @Test
    void whatIsThereIsNotComputedAgainAndAnotherCorpusTakesItsPlace(@TempDir Path cache) throws IOException {
        built(cache, 512);
        var corpora = new Corpora(cache, model);
        var found = corpora.build("a", corpus(), (done, total) -> {
            throw new AssertionError("computed again");
        });
        assertThat(found.neuron(new Neuron(1, 3)).count()).isEqualTo(corpus().tokens());
        assertThat(corpora.find("a")).isSameAs(found);

        var other = Corpus.of(model, Stream.of("A small text."), 32);
        var small = corpora.build("a", other, Progress.NONE);
        assertThat(small.corpus().hash()).isEqualTo(other.hash()).isNotEqualTo(corpus().hash());
        assertThat(corpora.find("a")).isSameAs(small);
        assertThat(corpora.list()).singleElement().satisfies(entry -> {
            assertThat(entry.name()).isEqualTo("a");
            assertThat(entry.documents()).isEqualTo(1);
            assertThat(entry.tokens()).isEqualTo(other.tokens());
            assertThat(entry.hash()).isEqualTo(other.hash());
        });
        corpora.delete("a");
        assertThat(corpora.list()).isEmpty();
        assertThatThrownBy(() -> corpora.delete("a")).hasMessageContaining("corpus: a: not there");
    }

    @Test
    void aCorpusOfAnotherModelIsNotFound(@TempDir Path cache) throws IOException {
        built(cache, 512);
        try (var other = model(2)) {
            assertThatThrownBy(() -> new Corpora(cache, other).find("a")).isInstanceOf(IllegalArgumentException.class)
                    .hasMessage(
                            "corpus: a: not built for this model (expected: one that was built before; there are none)");
            assertThat(new Corpora(cache, other).list()).isEmpty();
        }
        assertThatThrownBy(() -> new Corpora(cache, model).find("b"))
                .hasMessage("corpus: b: not built for this model (expected: one of a)");
    }

    @Test
    void aDamagedFileIsRefusedAndBuiltAgain(@TempDir Path cache) throws IOException {
        var bytes = built(cache, 512);
        var file = file(cache, "a.corpus");
        for (int at : new int[] {30, 1020, 2000, bytes.length - 1}) {
            var damaged = bytes.clone();
            damaged[at] ^= 1;
            Files.write(file, damaged);
            assertThatThrownBy(() -> new Corpora(cache, model).find("a")).isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("damaged (expected: a whole file");
        }
        Files.write(file, IntStream.range(0, 5).boxed().map(String::valueOf).toList());
        assertThatThrownBy(() -> new Corpora(cache, model).find("a")).hasMessageContaining("damaged");
        assertThat(built(cache, 512)).isEqualTo(bytes);
    }

    @Test
    void windowsCutDocumentsAndNothingIsPadded() {
        var corpus = Corpus.of(model, Stream.of("the little dog", "", "the little dog saw the big red ball", "a"), 3);
        assertThat(corpus.documents()).isEqualTo(3); // one has no token
        assertThat(corpus.windows().stream().mapToInt(Window::length).sum()).isEqualTo(corpus.tokens());
        assertThat(corpus.windows()).first().isEqualTo(new Window(0, 0, 3));
        assertThat(corpus.windows().stream().map(Window::length)).isSortedAccordingTo(Collections.reverseOrder());
        for (int document = 0; document < 3; document++) {
            int d = document;
            var ids = corpus.windows().stream().filter(window -> window.document() == d)
                    .flatMapToInt(window -> IntStream.of(corpus.ids(window))).toArray();
            assertThat(ids).isEqualTo(corpus.ids(document, 0, corpus.length(document)));
        }
    }

    @Test
    void badCorporaAreRefused() {
        assertThatThrownBy(() -> Corpus.of(model, Stream.empty(), 8))
                .hasMessage("corpus: empty (expected: a document with at least one token)");
        assertThatThrownBy(() -> Corpus.of(model, Stream.of("", ""), 8)).hasMessageContaining("corpus: empty");
        assertThatThrownBy(() -> Corpus.ofIds(model, Stream.of(new int[] {1, 8192}), 8))
                .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("token: 8192 (expected: 0 to 8191)");
        for (int window : new int[] {-1, 0, 65}) {
            assertThatThrownBy(() -> Corpus.of(model, Stream.of("a"), window))
                    .hasMessage("window: %d (expected: 1 to 64, the positions of this model)".formatted(window));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "../a", "a b", "-a", ".a", "a/b", "a@last"})
    void namesArePlain(String name) {
        assertThatThrownBy(() -> new Corpora(directory, model).find(name)).isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("(expected: a name of up to 64");
    }

    /** A device that counts the operations of a session, and downloads by the shape of the tensor. */
    private static final class Counter extends DelegatingDevice {
        private final Map<String, Integer> counts = new TreeMap<>();

        Counter(Device device) {
            super(device);
        }

        @Override
        protected Object operation(String name, Object[] arguments, Operation original) throws Throwable {
            boolean download = name.equals("download") && arguments[0] instanceof float[];
            counts.merge(download ? "download of " + arguments[1] : name, 1, Integer::sum);
            return original.run();
        }
    }

    @Test
    void ofABatchOneNumberOfEachRowAndLayerLeavesTheDevice(@TempDir Path cache) throws IOException {
        var counter = new Counter(device);
        var files = new ModelFiles("small", SMALL.write(Files.createDirectory(directory.resolve("counted")), 1));
        try (var counted = Gpt2.load(files, counter)) {
            var texts = Corpus.of(counted, CorpusTest.documents(40, 60, 1).filter(text -> text.length() > 150), 16);
            var batches = new ArrayList<Long>();
            var corpora = new Corpora(cache, counted, 1 << 20, NEVER);
            counter.counts.clear();
            corpora.build("a", texts, (done, total) -> batches.add(done));
            int layers = 2;
            int heads = 2;
            int perLayer = layers * batches.size();
            assertThat(batches).hasSizeGreaterThan(3); // one of each length
            assertThat(counter.counts).containsEntry("accumulate", 2 * perLayer)
                    .containsEntry("addRows", (Site.values().length + 1) * perLayer)
                    .containsEntry("mergeExtremes", perLayer)
                    .containsEntry("biasNorms", 2 * perLayer)
                    .containsEntry("rowNorms", (heads + 1) * perLayer)
                    .containsEntry("download", Shape.Section.values().length * layers); // into the file
            var downloads = counter.counts.entrySet().stream().filter(each -> each.getKey().startsWith("download of "))
                    .toList();
            assertThat(downloads).allSatisfy(each -> assertThat(each.getKey()).contains("F32[" + layers + ", "));
            assertThat(downloads.stream().mapToInt(Map.Entry::getValue).sum())
                    .isEqualTo(batches.size());
        }
    }

    @Test
    void aDeviceWithoutMemoryForTheTablesIsTold(@TempDir Path cache) throws IOException {
        var small = new DelegatingDevice(device) {
            @Override
            public Tensor allocate(ElementType type, long rows, long columns) {
                if (type == ElementType.F64) {
                    throw new OutOfDeviceMemoryException("memory: none", null);
                }
                return super.allocate(type, rows, columns);
            }
        };
        var files = new ModelFiles("small", SMALL.write(Files.createDirectory(directory.resolve("full")), 1));
        try (var full = Gpt2.load(files, small)) {
            var texts = Corpus.of(full, Stream.of("a text"), 16);
            var corpora = new Corpora(cache, full);
            assertThatThrownBy(() -> corpora.build("a", texts, Progress.NONE))
                    .isInstanceOf(OutOfDeviceMemoryException.class)
                    .hasMessageStartingWith("corpus: %,d bytes of tables".formatted(corpora.bytes(texts)))
                    .hasMessageContaining("(expected: a device with as much memory, or a smaller --window)")
                    .hasMessageEndingWith("memory: none");
        }
    }

    @Test
    void aFolderThatCannotBeWrittenIsNamed(@TempDir Path cache) throws IOException {
        Files.writeString(cache.resolve("corpora"), "a file");
        assertThatThrownBy(() -> new Corpora(cache, model).build("a", corpus(), Progress.NONE))
                .isInstanceOf(UncheckedIOException.class).hasMessageContaining("cannot be written (see --cache)");
    }
}
