package org.lmdebugger.interpret;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import java.util.stream.LongStream;

/** A checkpoint of any shape with random F32 weights and the sample model's tokenizer. */
public record RandomCheckpoint(int layers, int heads, int width, int positions, int vocabulary) {
    public static final RandomCheckpoint GPT2 = new RandomCheckpoint(12, 12, 768, 1024, 50257);
    public static final RandomCheckpoint GPT2_MEDIUM = new RandomCheckpoint(24, 16, 1024, 1024, 50257);

    /** Writes it into {@code directory}; equal seeds give equal files. */
    public Path write(Path directory, long seed) throws IOException {
        Files.writeString(directory.resolve("config.json"), """
                {"model_type": "gpt2", "activation_function": "gelu_new", "n_layer": %d, "n_head": %d, "n_embd": %d,
                 "n_positions": %d, "vocab_size": %d}""".formatted(layers, heads, width, positions, vocabulary));
        for (var file : new String[] {"vocab.json", "merges.txt"}) {
            Files.copy(TestModels.files("sample").directory().resolve(file), directory.resolve(file));
        }
        var random = new SplittableRandom(seed);
        var tensors = tensors();
        var header = header(tensors).getBytes(StandardCharsets.UTF_8);
        try (var out = FileChannel.open(directory.resolve("model.safetensors"), StandardOpenOption.CREATE_NEW,
                StandardOpenOption.WRITE)) {
            out.write(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(0, header.length));
            out.write(ByteBuffer.wrap(header));
            for (var tensor : tensors.entrySet()) {
                out.write(values(tensor.getKey(), tensor.getValue(), random));
            }
        }
        return directory;
    }

    private Map<String, long[]> tensors() {
        long d = width;
        var tensors = new LinkedHashMap<String, long[]>();
        tensors.put("wte.weight", new long[] {vocabulary, d});
        tensors.put("wpe.weight", new long[] {positions, d});
        for (int l = 0; l < layers; l++) {
            var block = "h." + l + ".";
            tensors.put(block + "ln_1.weight", new long[] {d});
            tensors.put(block + "ln_1.bias", new long[] {d});
            tensors.put(block + "attn.c_attn.weight", new long[] {d, 3 * d});
            tensors.put(block + "attn.c_attn.bias", new long[] {3 * d});
            tensors.put(block + "attn.c_proj.weight", new long[] {d, d});
            tensors.put(block + "attn.c_proj.bias", new long[] {d});
            tensors.put(block + "ln_2.weight", new long[] {d});
            tensors.put(block + "ln_2.bias", new long[] {d});
            tensors.put(block + "mlp.c_fc.weight", new long[] {d, 4 * d});
            tensors.put(block + "mlp.c_fc.bias", new long[] {4 * d});
            tensors.put(block + "mlp.c_proj.weight", new long[] {4 * d, d});
            tensors.put(block + "mlp.c_proj.bias", new long[] {d});
        }
        tensors.put("ln_f.weight", new long[] {d});
        tensors.put("ln_f.bias", new long[] {d});
        return tensors;
    }

    private static String header(Map<String, long[]> tensors) {
        var offset = new long[1];
        var entries = tensors.entrySet().stream().map(tensor -> {
            long start = offset[0];
            offset[0] += 4 * size(tensor.getValue());
            return "\"%s\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":[%d,%d]}".formatted(tensor.getKey(),
                    LongStream.of(tensor.getValue()).mapToObj(String::valueOf).collect(Collectors.joining(",")), start,
                    offset[0]);
        }).collect(Collectors.joining(","));
        var header = "{\"__metadata__\":{\"format\":\"pt\"}," + entries + "}"; // which transformers asks for
        return header + " ".repeat((8 - header.length() % 8) % 8);
    }

    /** Gains of 1 and biases of 0, as a fresh model has them; weights of a standard deviation of 0.02. */
    private static ByteBuffer values(String name, long[] shape, SplittableRandom random) {
        var buffer = ByteBuffer.allocate((int) (4 * size(shape))).order(ByteOrder.LITTLE_ENDIAN);
        boolean gain = name.contains("ln_") && name.endsWith("weight");
        while (buffer.hasRemaining()) {
            buffer.putFloat(shape.length == 2 ? (random.nextInt(1 << 24) * 0x1p-24f - 0.5f) * 0.0693f : gain ? 1 : 0);
        }
        return buffer.flip();
    }

    private static long size(long[] shape) {
        return LongStream.of(shape).reduce(1, Math::multiplyExact);
    }
}
