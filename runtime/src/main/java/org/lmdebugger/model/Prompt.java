package org.lmdebugger.model;

import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** A prompt as a text, or as the ids of its tokens. As a string it is {@code "text"} or {@code #464,582}. */
public sealed interface Prompt {
    /** A text, which the model's tokenizer encodes. */
    record Text(String text) implements Prompt {
        @Override
        public String toString() {
            return "\"" + text + "\"";
        }
    }

    /** Ids of tokens as the network gets them: the tokenizer adds none. */
    record Ids(List<Integer> ids) implements Prompt {
        public Ids {
            ids = List.copyOf(ids);
        }

        @Override
        public String toString() {
            return ids.stream().map(String::valueOf).collect(Collectors.joining(",", "#", ""));
        }
    }

    static Prompt of(String text) {
        return new Text(text);
    }

    static Prompt ofIds(int... ids) {
        return new Ids(IntStream.of(ids).boxed().toList());
    }
}
