package org.lmdebugger.interpret;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.lmdebugger.checkpoint.ModelFiles;
import org.lmdebugger.checkpoint.TinyCheckpoint;
import org.lmdebugger.device.Device;
import org.lmdebugger.device.OnEveryDevice;
import org.lmdebugger.device.TestDevice;
import org.lmdebugger.interpret.activations.Activations;
import org.lmdebugger.interpret.activations.CompiledIntervention;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.model.LoadOptions;

/** One model in the forms in which its weights may be stored: its logits are the same bits. */
@OnEveryDevice
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class WeightFormsTest {
    private static final String WHOLE = "model.safetensors";
    private static final int[] IDS = {72, 101, 108, 108, 111};

    @TempDir
    private Path folder;

    @AutoClose
    private final Device device = TestDevice.open();

    private record Stored(String name, String dtype, List<Integer> shape, byte[] data) {
    }

    @ParameterizedTest
    @CsvSource({"noMetadata, F32", "unsortedHeader, F32", "oddHeader, F32", "oddHeader, F16", "oddHeader, BF16",
            "oddOffsets, F32", "emptyAndScalar, F32", "parts, F32", "partsBesideTheWhole, F32", "pytorch, F32",
            "pytorch, F16", "pytorch, BF16", "pytorchParts, F32"})
    void logitsAreTheSameInEveryForm(String form, String dtype) throws IOException {
        new TinyCheckpoint().as(dtype, "").write(folder);
        var expected = logits();
        var tensors = read();
        if (!form.equals("partsBesideTheWhole")) {
            Files.delete(folder.resolve(WHOLE));
        }
        store(form, tensors);
        assertThat(logits()).isEqualTo(expected);
    }

    private void store(String form, List<Stored> tensors) throws IOException {
        var metadata = "\"__metadata__\":{\"format\":\"pt\"}";
        var half = tensors.size() / 2;
        switch (form) {
            case "noMetadata" -> safetensors(WHOLE, tensors, List.of(), 8);
            case "unsortedHeader" -> {
                var header = header(tensors);
                Collections.reverse(header);
                safetensors(WHOLE, tensors, header, 8);
            }
            case "oddHeader" -> safetensors(WHOLE, tensors, joined(List.of(metadata), header(tensors)), 1);
            case "oddOffsets" -> {
                var shifted = joined(List.of(new Stored("three", "U8", List.of(3), new byte[3])), tensors);
                safetensors(WHOLE, shifted, header(shifted), 8);
            }
            case "emptyAndScalar" -> {
                var more = joined(tensors, List.of(new Stored("empty", "F32", List.of(0, 4), new byte[0]),
                        new Stored("scalar", "F32", List.of(), new byte[4])));
                safetensors(WHOLE, more, header(more), 8);
            }
            case "parts", "partsBesideTheWhole" -> {
                safetensors("1.safetensors", tensors.subList(0, half), header(tensors.subList(0, half)), 8);
                safetensors("2.safetensors", tensors.subList(half, tensors.size()),
                        header(tensors.subList(half, tensors.size())), 8);
                index(WHOLE + ".index.json", "1.safetensors", "2.safetensors");
            }
            case "pytorch" -> torch("pytorch_model.bin", tensors);
            default -> {
                torch("1.bin", tensors.subList(0, half));
                torch("2.bin", tensors.subList(half, tensors.size()));
                index("pytorch_model.bin.index.json", "1.bin", "2.bin");
            }
        }
    }

    private float[] logits() {
        try (var model = Gpt2.load(ModelFiles.of(folder), device, new LoadOptions(false, warning -> {}));
                var run = Activations.forward(model, IDS, CompiledIntervention.NONE, Activations.Keep.ALL);
                var logits = run.logits()) {
            return logits.toFloats();
        }
    }

    private List<Stored> read() throws IOException {
        var bytes = ByteBuffer.wrap(Files.readAllBytes(folder.resolve(WHOLE))).order(ByteOrder.LITTLE_ENDIAN);
        int start = 8 + (int) bytes.getLong();
        var tensors = new ArrayList<Stored>();
        for (var tensor : new ObjectMapper().readTree(bytes.array(), 8, start - 8).properties()) {
            if (!tensor.getKey().equals("__metadata__")) {
                var at = tensor.getValue().get("data_offsets");
                tensors.add(new Stored(tensor.getKey(), tensor.getValue().get("dtype").textValue(),
                        tensor.getValue().get("shape").valueStream().map(size -> size.intValue()).toList(),
                        Arrays.copyOfRange(bytes.array(), start + at.get(0).intValue(), start + at.get(1).intValue())));
            }
        }
        return tensors;
    }

    private static <T> List<T> joined(Collection<T> first, Collection<T> second) {
        var all = new ArrayList<>(first);
        all.addAll(second);
        return all;
    }

    private static List<String> header(List<Stored> tensors) {
        int at = 0;
        var header = new ArrayList<String>();
        for (var tensor : tensors) {
            header.add("\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%d,%d]}".formatted(
                    tensor.name(), tensor.dtype(), tensor.shape(), at, at += tensor.data().length));
        }
        return header;
    }

    /** @param remainder of the header's length by 8; 1 makes all addresses odd */
    private void safetensors(String name, List<Stored> tensors, List<String> header, int remainder) throws IOException {
        var json = "{" + String.join(",", header.isEmpty() ? header(tensors) : header) + "}";
        json += " ".repeat((remainder + 8 - json.length() % 8) % 8);
        try (var out = Files.newOutputStream(folder.resolve(name))) {
            out.write(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(json.length()).array());
            out.write(json.getBytes(StandardCharsets.US_ASCII));
            for (var tensor : tensors) {
                out.write(tensor.data());
            }
        }
    }

    private void index(String name, String... parts) throws IOException {
        Files.writeString(folder.resolve(name), IntStream.range(0, parts.length)
                .mapToObj(i -> "\"%d\":\"%s\"".formatted(i, parts[i]))
                .collect(Collectors.joining(",", "{\"weight_map\":{", "}}")));
    }

    /** As {@code torch.save} writes a dictionary of tensors. */
    private void torch(String name, List<Stored> tensors) throws IOException {
        var pickle = new StringBuilder("\u0080\u0002}(");
        for (int i = 0; i < tensors.size(); i++) {
            var tensor = tensors.get(i);
            var kind = switch (tensor.dtype()) {
                case "F16" -> "Half";
                case "BF16" -> "BFloat16";
                default -> "Float";
            };
            int columns = tensor.shape().getLast();
            int count = tensor.shape().stream().reduce(1, Math::multiplyExact);
            pickle.append(text(tensor.name())).append("ctorch._utils\n_rebuild_tensor_v2\n((").append(text("storage"))
                    .append("ctorch\n").append(kind).append("Storage\n").append(text("" + i)).append(text("cpu"))
                    .append(whole(count)).append("tQK\0(");
            tensor.shape().forEach(size -> pickle.append(whole(size)));
            pickle.append("t(").append(tensor.shape().size() == 2 ? whole(columns) : "")
                    .append("K\u0001t\u0089ccollections\nOrderedDict\n)RtR");
        }
        try (var zip = new ZipOutputStream(Files.newOutputStream(folder.resolve(name)))) {
            entry(zip, "archive/data.pkl", pickle.append("u.").toString().getBytes(StandardCharsets.ISO_8859_1));
            for (int i = 0; i < tensors.size(); i++) {
                entry(zip, "archive/data/" + i, tensors.get(i).data());
            }
        }
    }

    private static String text(String text) {
        return "X" + bytes(text.length()) + text;
    }

    private static String whole(int number) {
        return "J" + bytes(number);
    }

    private static String bytes(int number) {
        return new String(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(number).array(),
                StandardCharsets.ISO_8859_1);
    }

    private static void entry(ZipOutputStream zip, String name, byte[] content) throws IOException {
        var entry = new ZipEntry(name);
        var crc = new CRC32();
        crc.update(content);
        entry.setMethod(ZipEntry.STORED);
        entry.setCrc(crc.getValue());
        entry.setSize(content.length);
        zip.putNextEntry(entry);
        zip.write(content);
    }
}
