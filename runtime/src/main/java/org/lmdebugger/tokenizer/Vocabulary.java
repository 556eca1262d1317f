package org.lmdebugger.tokenizer;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.lmdebugger.checkpoint.InvalidModelException;
import org.lmdebugger.checkpoint.JsonFiles;
import org.lmdebugger.text.Shown;

/**
 * The vocabulary of a byte-level BPE: its tokens and the merges that make them.
 *
 * @param origin       the file, for messages
 * @param ids          each token's id, spelled in the {@link ByteAlphabet}
 * @param merges       pairs in the order of their rank
 * @param unknown      the token for a byte that {@code ids} lacks; null: such a byte is left out
 * @param fuseUnknown  whether several such bytes in a row are one token
 * @param ignoreMerges whether a piece of text that is a token becomes it without merges
 */
record Vocabulary(Path origin, Map<String, Integer> ids, List<Merge> merges, String unknown, boolean fuseUnknown,
        boolean ignoreMerges) {
    private static final int MOST_UNMADE = 20; // at most one in so many tokens
    private static final int SHOWN = 8;

    /** Checks that each id names one token, and that each merge joins two tokens to a token. */
    Vocabulary {
        var byId = new HashMap<Integer, String>();
        ids.forEach((token, id) -> {
            var other = byId.put(id, token);
            if (other != null) {
                throw new InvalidModelException("%s: id %d: %s and %s (expected: one token)"
                        .formatted(origin, id, Shown.of(token), Shown.of(other)));
            }
        });
        for (var merge : merges) {
            require(origin, ids, merge.left(), "the left of a merge");
            require(origin, ids, merge.right(), "the right of a merge");
            require(origin, ids, merge.joined(), "a merge");
        }
        if (unknown != null) {
            require(origin, ids, unknown, "the unknown token");
        }
    }

    private static void require(Path origin, Map<String, Integer> ids, String token, String what) {
        if (!ids.containsKey(token)) {
            throw new InvalidModelException("%s: %s: no id (expected: one, as it is %s)"
                    .formatted(origin, Shown.of(token), what));
        }
    }

    record Merge(String left, String right) {
        String joined() {
            return left + right;
        }

        static Merge parse(Path file, String line) {
            var parts = line.split(" ", -1);
            if (parts.length != 2 || parts[0].isEmpty() || parts[1].isEmpty()) {
                throw new InvalidModelException("%s: \"%s\" (expected: a merge, two tokens and a space between)"
                        .formatted(file, Shown.of(line)));
            }
            return new Merge(parts[0], parts[1]);
        }
    }

    /** Reads {@code vocab.json} and {@code merges.txt}. */
    static Vocabulary read(Path vocab, Path merges) {
        var ids = TokenizerJson.ids(vocab, JsonFiles.read(vocab));
        var pairs = JsonFiles.text(merges).lines().filter(line -> !line.isEmpty() && !line.startsWith("#version"))
                .map(line -> Merge.parse(merges, line)).toList();
        return new Vocabulary(vocab, ids, pairs, null, false, false);
    }

    /**
     * Returns a warning of the unreachable tokens, which no text is encoded to: they are no bytes, not among
     * {@code added}, and made by no merge. Returns none if there are none.
     *
     * @throws InvalidModelException if they are more than a twentieth, because then merges are missing
     */
    List<String> unmade(Set<String> added) {
        var made = new HashSet<>(added);
        merges.forEach(merge -> made.add(merge.joined()));
        var unmade = ids.keySet().stream().filter(token -> !made.contains(token) && !token.equals(unknown)
                && !ByteAlphabet.isByte(token) && !ignoreMerges).sorted().toList();
        if (unmade.size() * MOST_UNMADE > ids.size()) {
            throw new InvalidModelException(("%s: no merge makes %d of %d tokens "
                    + "(expected: at most 1 in %d; are the merges complete?)")
                            .formatted(origin, unmade.size(), ids.size(), MOST_UNMADE));
        }
        if (unmade.isEmpty()) {
            return List.of();
        }
        return List.of("%s: no merge makes %d of %d tokens, and no text becomes them: %s%s".formatted(origin,
                unmade.size(), ids.size(), String.join(" ", unmade.subList(0, Math.min(unmade.size(), SHOWN))),
                unmade.size() > SHOWN ? " …" : ""));
    }

    /** Returns a warning of the bytes of UTF-8 that have no token; none if there are none. */
    List<String> lostBytes() {
        var lost = IntStream.range(0, 256).filter(b -> b < 0xc0 || b > 0xc1 && b < 0xf5) // others never occur in UTF-8
                .filter(b -> unknown == null && !ids.containsKey(ByteAlphabet.spell((byte) b)))
                .mapToObj("%02x"::formatted).toList();
        return lost.isEmpty() ? List.of()
                : List.of("%s: no token stands for %s, which texts lose: %s%s".formatted(origin,
                        lost.size() == 1 ? "1 byte" : lost.size() + " bytes",
                        String.join(" ", lost.subList(0, Math.min(lost.size(), SHOWN))),
                        lost.size() > SHOWN ? " …" : ""));
    }
}
