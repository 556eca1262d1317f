package org.lmdebugger.bench;

import com.knuddels.jtokkit.Encodings;
import com.knuddels.jtokkit.api.Encoding;
import com.knuddels.jtokkit.api.EncodingType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import org.lmdebugger.tokenizer.Tokenizer;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** The text of a file to ids of GPT-2, here and by jtokkit, which merges by the rank of the joined token. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(1)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 10, time = 1)
public class TokenizerBenchmark {
    /** Where GPT-2's {@code vocab.json} and {@code merges.txt} lie. */
    @Param("gpt2")
    private String directory;

    @Param("README.md")
    private String file;

    private Tokenizer tokenizer;
    private Encoding peer;
    private String text;

    @Setup
    public void read() throws IOException {
        text = Files.readString(Path.of(file));
        tokenizer = Tokenizer.read(Path.of(directory), 50257);
        peer = Encodings.newLazyEncodingRegistry().getEncoding(EncodingType.R50K_BASE);
        if (!Arrays.equals(ours(), peer())) {
            throw new IllegalStateException(file + ": other ids (expected: the same)");
        }
    }

    @Benchmark
    public int[] ours() {
        return tokenizer.encode(text);
    }

    @Benchmark
    public int[] peer() {
        return peer.encodeOrdinary(text).toArray();
    }
}
