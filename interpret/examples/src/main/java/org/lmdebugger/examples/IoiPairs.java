package org.lmdebugger.examples;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.lmdebugger.device.Devices;
import org.lmdebugger.hub.ModelSource;
import org.lmdebugger.model.Gpt2;
import org.lmdebugger.tokenizer.Tokenizer;

/**
 * A data set of pairs for {@code lmdebug patch --pairs}, drawn from a seed: sentences that end before an indirect object,
 * like those of Wang et al. (2022), Interpretability in the Wild, arXiv 2211.00593. Two persons are named, then one of them
 * again, the subject; the model is right if it goes on with the other one, the indirect object. The corrupted prompt has
 * another name in the second place of the subject.
 */
public final class IoiPairs {
    private static final List<String> NAMES = List.of("Alex", "Alice", "Amy", "Andrew", "Anna", "Arthur", "Ben", "Beth",
            "Bob", "Charles", "Charlotte", "Dan", "David", "Edward", "Elizabeth", "Emily", "Emma", "Eric", "Fred",
            "George", "Helen", "Henry", "Jack", "Jacob", "James", "Jane", "Jason", "Jim", "Joe", "John", "Kate",
            "Laura",
            "Lily", "Louis", "Lucy", "Maria", "Martha", "Mary", "Max", "Michael", "Molly", "Nick", "Paul", "Peter",
            "Philip", "Rachel", "Richard", "Robert", "Ruth", "Sally", "Sam", "Sarah", "Simon", "Steve", "Susan",
            "Thomas", "Tim", "Tom", "Tony", "William");
    private static final List<String> PLACES = List.of("store", "park", "garden", "school", "market", "beach");
    private static final List<String> THINGS = List.of("drink", "ball", "book", "cake", "flower", "toy");

    /** The two persons in either order, the subject, the place and the thing. */
    private static final List<String> SENTENCES = List.of("When %s and %s went to the %4$s, %3$s gave a %5$s to",
            "Then %s and %s had a long day at the %4$s, and %3$s gave a %5$s to",
            "After %s and %s found a %5$s at the %4$s, %3$s gave it to",
            "One day %s and %s played at the %4$s. Then %3$s gave a %5$s to");

    private IoiPairs() {
    }

    /**
     * @param args a model; how many pairs; a seed; the corrupted prompt's other name, {@code abc} for a third one, after
     *     which both persons are equally right, or {@code swap} for the indirect object's, after which the subject is
     *     right; and the file to write
     */
    public static void main(String... args) throws IOException {
        if (args.length != 5) {
            throw new IllegalArgumentException("usage: IoiPairs MODEL COUNT SEED CORRUPTION FILE");
        }
        if (!List.of("abc", "swap").contains(args[3])) {
            throw new IllegalArgumentException("corruption: " + args[3] + " (expected: abc or swap)");
        }
        try (var device = Devices.open(); var model = Gpt2.load(ModelSource.of(args[0]), device)) {
            var random = new Random(Long.parseLong(args[2]));
            var names = NAMES.stream().filter(name -> isOneToken(" " + name, model.tokenizer())).toList();
            if (names.size() < 3) {
                throw new IllegalArgumentException("names: %d that are one token of the model (expected: at least 3)"
                        .formatted(names.size()));
            }
            Files.writeString(Path.of(args[4]),
                    Stream.generate(() -> line(names, args[3].equals("swap"), random, model.tokenizer()) + "\n")
                            .limit(Integer.parseInt(args[1])).collect(Collectors.joining()));
        }
    }

    private static boolean isOneToken(String text, Tokenizer tokenizer) {
        try {
            tokenizer.single(text);
            return true;
        } catch (IllegalArgumentException several) {
            return false;
        }
    }

    private static String line(List<String> names, boolean swap, Random random, Tokenizer tokenizer) {
        var drawn = new ArrayList<>(names);
        Collections.shuffle(drawn, random);
        var object = drawn.get(0);
        var subject = drawn.get(1);
        var other = swap ? object : drawn.get(2);
        var both = random.nextBoolean() ? List.of(object, subject) : List.of(subject, object);
        var sentence = any(SENTENCES, random);
        var place = any(PLACES, random);
        var thing = any(THINGS, random);
        var clean = sentence.formatted(both.get(0), both.get(1), subject, place, thing);
        var corrupted = sentence.formatted(both.get(0), both.get(1), other, place, thing);
        var ids = Arrays.stream(tokenizer.encode(clean)).boxed().toList();
        int objectId = tokenizer.single(" " + object);
        int subjectId = tokenizer.single(" " + subject);
        return ("{\"clean\":\"%s\",\"corrupted\":\"%s\",\"answers\":[\" %s\"],\"wrong\":[\" %s\"],"
                + "\"positions\":{\"IO\":%d,\"S1\":%d,\"S2\":%d,\"END\":%d}}").formatted(clean, corrupted, object,
                        subject, ids.indexOf(objectId), ids.indexOf(subjectId), ids.lastIndexOf(subjectId),
                        ids.size() - 1);
    }

    private static <T> T any(List<T> list, Random random) {
        return list.get(random.nextInt(list.size()));
    }
}
