package org.lmdebugger.checkpoint;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.lmdebugger.tokenizer.TestTokenizers;

/** A GPT-2 of two small layers, random weights and a vocabulary of bytes; a test changes what it is about, and writes it. */
public final class TinyCheckpoint {
    /** 256 bytes and the end of text. */
    public static final int VOCABULARY = 257;
    private static final String PLAIN = """
            {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "activation_function": "gelu_new", "n_embd": 24,
             "n_head": 3, "n_layer": 2, "n_positions": 48, "vocab_size": 257, "eos_token_id": 256, "bos_token_id": 256}""";

    private final Map<String, Values> tensors = new TreeMap<>();
    private final Map<String, String> files = new HashMap<>();
    private UnaryOperator<String> configText = UnaryOperator.identity();
    private final ObjectNode config;

    private record Values(String dtype, float[] numbers, int... shape) {
    }

    /** The model that is changed by nothing. */
    public TinyCheckpoint() {
        try {
            config = (ObjectNode) new JsonMapper().readTree(PLAIN);
        } catch (java.io.IOException failure) {
            throw new AssertionError(failure);
        }
        weights(VOCABULARY, 24, 2, 48, 96);
    }

    /** Sets fields of the configuration, from JSON in single quotes; null removes one. */
    public TinyCheckpoint config(String fields) {
        try {
            new JsonMapper().readTree(fields.replace('\'', '"')).properties()
                    .forEach(field -> config.set(field.getKey(), field.getValue()));
        } catch (java.io.IOException failure) {
            throw new AssertionError(failure);
        }
        return this;
    }

    public TinyCheckpoint without(String... fields) {
        config.remove(Arrays.asList(fields));
        return this;
    }

    /** Changes the text of the configuration that is written. */
    public TinyCheckpoint configText(UnaryOperator<String> change) {
        configText = change;
        return this;
    }

    /** Another file of the checkpoint. */
    public TinyCheckpoint file(String name, String text) {
        files.put(name, text);
        return this;
    }

    /** New weights of these sizes instead of all there were. */
    public TinyCheckpoint weights(int vocabulary, int d, int layers, int positions, int inner) {
        tensors.clear();
        tensor("transformer.wte.weight", vocabulary, d).tensor("transformer.wpe.weight", positions, d);
        for (int l = 0; l < layers; l++) {
            var block = "transformer.h." + l + ".";
            tensor(block + "ln_1.weight", d).tensor(block + "ln_1.bias", d)
                    .tensor(block + "attn.c_attn.weight", d, 3 * d).tensor(block + "attn.c_attn.bias", 3 * d)
                    .tensor(block + "attn.c_proj.weight", d, d).tensor(block + "attn.c_proj.bias", d)
                    .tensor(block + "ln_2.weight", d).tensor(block + "ln_2.bias", d)
                    .tensor(block + "mlp.c_fc.weight", d, inner).tensor(block + "mlp.c_fc.bias", inner)
                    .tensor(block + "mlp.c_proj.weight", inner, d).tensor(block + "mlp.c_proj.bias", d);
        }
        return tensor("transformer.ln_f.weight", d).tensor("transformer.ln_f.bias", d);
    }

    /** A random tensor, which its name and shape determine: gains about 1, all else of a standard deviation of 0.25. */
    public TinyCheckpoint tensor(String name, int... shape) {
        var random = new SplittableRandom((name + Arrays.toString(shape)).hashCode());
        var numbers = new float[IntStream.of(shape).reduce(1, Math::multiplyExact)];
        float mean = name.contains("ln_") && name.endsWith("weight") ? 1 : 0;
        for (int i = 0; i < numbers.length; i++) {
            numbers[i] = mean + (random.nextInt(1 << 24) * 0x1p-24f - 0.5f) * 0.866f;
        }
        return put(name, "F32", numbers, shape);
    }

    public TinyCheckpoint put(String name, String dtype, float[] numbers, int... shape) {
        tensors.put(name, new Values(dtype, numbers, shape));
        return this;
    }

    public TinyCheckpoint copy(String from, String to) {
        tensors.put(to, tensors.get(from));
        return this;
    }

    public TinyCheckpoint remove(String name) {
        tensors.remove(name);
        return this;
    }

    /** Changes the names of all tensors. */
    public TinyCheckpoint rename(UnaryOperator<String> change) {
        var before = new TreeMap<>(tensors);
        tensors.clear();
        before.forEach((name, values) -> tensors.put(change.apply(name), values));
        return this;
    }

    /** Stores the tensors whose name contains {@code part} as elements of another type. */
    public TinyCheckpoint as(String dtype, String part) {
        tensors.replaceAll(
                (name, values) -> name.contains(part) ? new Values(dtype, values.numbers, values.shape) : values);
        return this;
    }

    /** Sets one number of a tensor. */
    public TinyCheckpoint set(String name, int index, float value) {
        tensors.get(name).numbers[index] = value;
        return this;
    }

    /** Writes all files into {@code folder}. */
    public Path write(Path folder) {
        TestFiles.write(folder.resolve("config.json"), configText.apply(config.toString()));
        TestTokenizers.write(folder, TestTokenizers.vocabulary("<|endoftext|>"));
        var data = new TreeMap<String, byte[]>();
        tensors.forEach((name, values) -> data.put(name, bytes(values)));
        var at = new int[1];
        var header = tensors.entrySet().stream()
                .map(tensor -> "\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%d,%d]}".formatted(
                        tensor.getKey(), tensor.getValue().dtype, Arrays.toString(tensor.getValue().shape), at[0],
                        at[0] += data.get(tensor.getKey()).length))
                .collect(Collectors.joining(",", "{\"__metadata__\":{\"format\":\"pt\"},", "}"));
        var all = ByteBuffer.allocate(at[0]);
        data.values().forEach(all::put);
        TestFiles.write(folder.resolve("model.safetensors"), TestFiles.safetensors(header, all.array()));
        files.forEach((name, text) -> TestFiles.write(folder.resolve(name), text));
        return folder;
    }

    private static byte[] bytes(Values values) {
        var bytes = ByteBuffer.allocate(8 * values.numbers.length).order(ByteOrder.LITTLE_ENDIAN);
        for (float number : values.numbers) {
            switch (values.dtype) {
                case "F64" -> bytes.putDouble(number);
                case "F32" -> bytes.putFloat(number);
                case "F16" -> bytes.putShort(Float.floatToFloat16(number));
                case "BF16" -> bytes.putShort((short) (Float.floatToIntBits(number) >>> 16));
                default -> bytes.put((byte) number);
            }
        }
        return Arrays.copyOf(bytes.array(), bytes.position());
    }
}
