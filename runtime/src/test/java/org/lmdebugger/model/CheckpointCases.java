package org.lmdebugger.model;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** Small checkpoints in the forms that people have, each called by what is odd about it. */
public final class CheckpointCases {
    private static final String HEAD = "lm_head.weight";
    private static final String WTE = "transformer.wte.weight";

    private final Map<String, Case> cases = new LinkedHashMap<>();

    /**
     * @param checkpoint how it is made
     * @param said       a part of what is said of it: why it is refused if transformers gives no numbers, else a
     *                   warning; null if nothing is
     */
    public record Case(TinyCheckpoint checkpoint, String said) {
    }

    private CheckpointCases() {
        heads();
        names();
    }

    public static Map<String, Case> all() {
        return new CheckpointCases().cases;
    }

    /** Writes the cases below a folder, for expected.py. */
    static void main(String[] arguments) {
        all().forEach((name, one) -> one.checkpoint.write(Path.of(arguments[0], name)));
    }

    private TinyCheckpoint add(String name) {
        return add(name, null);
    }

    private TinyCheckpoint add(String name, String said) {
        var checkpoint = new TinyCheckpoint();
        cases.put(name, new Case(checkpoint, said));
        return checkpoint;
    }

    private void heads() {
        add("plain");
        add("head-untied").tensor(HEAD, 257, 24).config("{'tie_word_embeddings': false}");
        add("head-differs-tie-default").tensor(HEAD, 257, 24);
        add("head-differs-tie-true").tensor(HEAD, 257, 24).config("{'tie_word_embeddings': true}");
        add("head-same-copy").copy(WTE, HEAD);
        add("head-alone-save-model").copy(WTE, HEAD).remove(WTE);
        add("head-untied-absent", "lm_head.weight: missing").config("{'tie_word_embeddings': false}");
        add("head-with-bias", "1 tensor is not used: lm_head.bias").copy(WTE, HEAD).tensor("lm_head.bias", 257);
        add("head-under-transformer").tensor("transformer." + HEAD, 257, 24);
        add("head-under-transformer-untied").tensor("transformer." + HEAD, 257, 24).config("{'tie_word_embeddings': false}");
    }

    private void names() {
        add("both-spellings", "1 tensor is not used: wte.weight").tensor("wte.weight", 257, 24);
        add("bare-names").rename(name -> name.replace("transformer.", "")).config("{'architectures': ['GPT2Model']}");
        add("prefix-module", "there is module.transformer.wte.weight").rename(name -> "module." + name);
        add("prefix-orig-mod", "there is _orig_mod.transformer.wte.weight").rename(name -> "_orig_mod." + name);
        add("nanogpt-transposed", "not transposed").tensor("transformer.h.0.attn.c_attn.weight", 72, 24)
                .tensor("transformer.h.0.mlp.c_proj.weight", 24, 96);
        add("nanogpt-no-bias", "c_proj.bias: missing").remove("transformer.h.1.mlp.c_proj.bias");
        add("ln-gamma-beta", "ln_1.weight: missing").rename(name -> name.replace("ln_1.weight", "ln_1.gamma"));
        add("mask-buffers").put("transformer.h.0.attn.bias", "BOOL", new float[48 * 48], 1, 1, 48, 48)
                .put("transformer.h.1.attn.bias", "F32", new float[48 * 48], 1, 1, 48, 48)
                .put("transformer.h.1.attn.masked_bias", "F32", new float[] {-1e4f});
        add("more-layers-than-config", "12 tensors are not used: transformer.h.2.attn.c_attn.bias, ").weights(257, 24, 3, 48, 96);
        add("extra-layer-tensor", "1 tensor is not used: transformer.h.2.ln_1.weight").tensor("transformer.h.2.ln_1.weight", 24);
        add("vocab-size-of-a-gigabyte", "shape: [257, 24] (expected: [16777216, 24])").config("{'vocab_size': 16777216}");
        add("vocab-size-below-wte", "shape: [262, 24] (expected: [257, 24])").tensor(WTE, 262, 24);
    }
}
