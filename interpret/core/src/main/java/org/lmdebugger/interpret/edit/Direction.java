package org.lmdebugger.interpret.edit;

import java.util.Objects;
import java.util.regex.Pattern;
import org.lmdebugger.text.Shown;

/**
 * A vector of the residual stream's width that an edit adds or projects out. Text forms: {@code L3D42}, a value vector;
 * {@code token:" king"} or {@code token:#620}, a token's embedding; {@code vectors.npy#3} or
 * {@code vectors.safetensors#name:3}, a row of a matrix in a file (the name may be left out where the file has one
 * matrix). For edits of one head, a file's matrix may have the width of a head instead.
 */
public sealed interface Direction {
    /** The value vector of a neuron. */
    record ValueVector(Neuron neuron) implements Direction {
        @Override
        public String toString() {
            return neuron.toString();
        }
    }

    /** The embedding of the token with this text, which must be one token. */
    record TokenText(String text) implements Direction {
        @Override
        public String toString() {
            return "token:\"" + text + '"';
        }
    }

    /** The embedding of the token with this id. */
    record TokenId(int id) implements Direction {
        @Override
        public String toString() {
            return "token:#" + id;
        }
    }

    /**
     * A row of a matrix in a NumPy or safetensors file.
     *
     * @param tensor the matrix's name in a safetensors file; empty if the file has only one
     */
    record FileRow(String file, String tensor, int row) implements Direction {
        public FileRow {
            Objects.requireNonNull(tensor);
        }

        @Override
        public String toString() {
            return file + "#" + (tensor.isEmpty() ? "" : tensor + ":") + row;
        }
    }

    /** @throws IllegalArgumentException if {@code text} is not the text form of a direction */
    static Direction parse(String text) {
        var file = Pattern.compile("(.+\\.(?:npy|safetensors))#(?:(.+):)?(\\d{1,9})", Pattern.DOTALL).matcher(text);
        if (text.matches("L\\d{1,9}D\\d{1,9}")) {
            return new ValueVector(Neuron.parse(text));
        } else if (text.matches("token:#\\d{1,9}")) {
            return new TokenId(Integer.parseInt(text.substring("token:#".length())));
        } else if (text.startsWith("token:\"") && text.endsWith("\"") && text.length() > "token:\"\"".length()) {
            return new TokenText(text.substring("token:\"".length(), text.length() - 1));
        } else if (file.matches()) {
            return new FileRow(file.group(1), file.group(2) == null ? "" : file.group(2),
                    Integer.parseInt(file.group(3)));
        }
        throw new IllegalArgumentException("direction: " + Shown.of(text)
                + " (expected: L3D42, token:\" king\", token:#620, vectors.npy#3 or vectors.safetensors#name:3)");
    }
}
