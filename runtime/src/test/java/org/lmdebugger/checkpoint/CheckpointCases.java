package org.lmdebugger.checkpoint;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
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
        add("plain");
        heads();
        names();
        fields();
        ends();
        activations();
        attention();
        shapes();
        numbers();
        files();
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
        add("head-untied").tensor(HEAD, 257, 24).config("{'tie_word_embeddings': false}");
        add("head-differs-tie-default").tensor(HEAD, 257, 24);
        add("head-differs-tie-true").tensor(HEAD, 257, 24).config("{'tie_word_embeddings': true}");
        add("head-same-copy").copy(WTE, HEAD);
        add("head-alone-save-model").copy(WTE, HEAD).remove(WTE);
        add("head-untied-absent", "lm_head.weight: missing").config("{'tie_word_embeddings': false}");
        add("head-with-bias", "1 tensor is not used: lm_head.bias").copy(WTE, HEAD).tensor("lm_head.bias", 257);
        add("head-under-transformer").tensor("transformer." + HEAD, 257, 24);
        add("head-under-transformer-untied").tensor("transformer." + HEAD, 257, 24)
                .config("{'tie_word_embeddings': false}");
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
        add("more-layers-than-config", "12 tensors are not used: transformer.h.2.attn.c_attn.bias, ").weights(257, 24,
                3, 48, 96);
        add("extra-layer-tensor", "1 tensor is not used: transformer.h.2.ln_1.weight")
                .tensor("transformer.h.2.ln_1.weight", 24);
        add("vocab-size-of-a-gigabyte", "shape: [257, 24] (expected: [16777216, 24])")
                .config("{'vocab_size': 16777216}");
        add("vocab-size-below-wte", "shape: [262, 24] (expected: [257, 24])").tensor(WTE, 262, 24);
        add("quantized-int8", "dtype: I8 (expected: F32, F16, BF16 or F64)").as("I8", "h.0.attn.c_attn.weight")
                .config("{'quantization_config': {'load_in_8bit': true, 'quant_method': 'bitsandbytes'}}");
    }

    private void fields() {
        add("names-hidden-size").without("n_embd", "n_head", "n_layer", "n_positions")
                .config("{'hidden_size': 24, 'num_attention_heads': 3, 'num_hidden_layers': 2, 'max_position_embeddings': 48}");
        add("names-of-both-kinds").config("{'n_embd': 12, 'hidden_size': 24, 'n_head': 6, 'num_attention_heads': 3}");
        add("n-positions-missing").without("n_positions").weights(257, 24, 2, 1024, 96);
        add("n-ctx-left-at-1024").config("{'n_ctx': 1024}");
        add("eps-1e-12").config("{'layer_norm_epsilon': 1e-12}");
        add("eps-large").config("{'layer_norm_epsilon': 0.3}");
        add("eps-text", "layer_norm_epsilon: \"1e-05\"").config("{'layer_norm_epsilon': '1e-05'}");
        add("config-nan").config("{'initializer_range': 0.02}").configText(text -> text.replace("0.02", "NaN"));
        add("config-twice").configText(text -> text.replace("\"n_head\":3", "\"n_head\":12,\"n_head\":3"));
        add("config-of-transformers-5")
                .config("{'dtype': 'bfloat16', 'transformers_version': '5.0.0', 'pruned_heads': {}}");
        add("arch-absent").without("architectures");
        add("arch-null").config("{'architectures': null}");
        add("arch-sequence-classification", "1 tensor is not used: score.weight").tensor("score.weight", 2, 24)
                .config("{'architectures': ['GPT2ForSequenceClassification']}");
    }

    private void ends() {
        add("eos-list").config("{'eos_token_id': [256, 198]}");
        add("eos-beyond").config("{'eos_token_id': 50256}");
        add("eos-minus-one").config("{'eos_token_id': -1}");
        add("gen-eos-in-generation-config").file("generation_config.json", "{\"eos_token_id\": 1}");
        add("gen-eos-list-in-generation-config").file("generation_config.json", "{\"eos_token_id\": [256, 1]}");
        add("gen-without-eos").file("generation_config.json", "{}");
    }

    private void activations() {
        for (var name : List.of("gelu", "gelu_python", "gelu_fast", "gelu_pytorch_tanh", "gelu_python_tanh",
                "gelu_accurate")) {
            add("act-" + name).config("{'activation_function': '%s'}".formatted(name));
        }
    }

    private void attention() {
        add("attn-inverse-layer").config("{'scale_attn_by_inverse_layer_idx': true}");
        add("attn-reorder-upcast").config("{'reorder_and_upcast_attn': true}");
        add("attn-stanford").config("{'scale_attn_by_inverse_layer_idx': true, 'reorder_and_upcast_attn': true}");
        add("attn-unscaled").config("{'scale_attn_weights': false}");
        add("attn-unscaled-inverse-layer")
                .config("{'scale_attn_weights': false, 'scale_attn_by_inverse_layer_idx': true}");
    }

    private void shapes() {
        add("n-inner-64").config("{'n_inner': 64}").weights(257, 24, 2, 48, 64);
        add("n-inner-37-gelu").config("{'n_inner': 37, 'activation_function': 'gelu'}").weights(257, 24, 2, 48, 37);
        add("vocab-padded").config("{'vocab_size': 320}").weights(320, 24, 2, 48, 96);
        shape("shape-d1", 1, 1, 1, 48);
        shape("shape-d2", 2, 2, 2, 48);
        shape("shape-d7-h7", 7, 7, 3, 48);
        shape("shape-d15-h5", 15, 5, 1, 48);
        shape("shape-d33-h3-L5", 33, 3, 5, 48);
        shape("shape-d65-h1", 65, 1, 2, 48);
        shape("shape-one-position", 24, 3, 2, 1);
    }

    private void shape(String name, int d, int heads, int layers, int positions) {
        add(name).weights(257, d, layers, positions, 4 * d)
                .config("{'n_embd': %d, 'n_head': %d, 'n_layer': %d, 'n_positions': %d}".formatted(d, heads, layers,
                        positions));
    }

    private void numbers() {
        add("f16").as("F16", "");
        add("bf16").as("BF16", "");
        add("f64").as("F64", "");
        add("mixed-f16-ln-f32").as("F16", "").as("F32", "ln_");
        add("f16-largest").as("F16", "").set("transformer.h.0.mlp.c_proj.weight", 80, 65504);
        add("nan-value-vector", "h.1.mlp.c_proj.weight: numbers: NaN or infinite ones")
                .set("transformer.h.1.mlp.c_proj.weight", 123, Float.NaN);
        add("inf-key", "h.0.mlp.c_fc.weight: numbers: NaN or infinite").set("transformer.h.0.mlp.c_fc.weight", 0,
                Float.NEGATIVE_INFINITY);
        add("inf-f16-bias", "ln_f.bias: numbers: NaN or infinite").as("F16", "").set("transformer.ln_f.bias", 23,
                65520);
        add("nan-bf16-embedding", "wte.weight: numbers: NaN or infinite").as("BF16", "").set(WTE, 257 * 24 - 1,
                Float.NaN);
        add("inf-f64", "wpe.weight: numbers: NaN or infinite").as("F64", "").set("transformer.wpe.weight", 1,
                Float.POSITIVE_INFINITY);
    }

    private void files() {
        add("st-odd-offsets", "1 tensor is not used: a").put("a", "U8", new float[3], 3);
        add("st-odd-offsets-f16", "1 tensor is not used: a").as("F16", "").put("a", "U8", new float[3], 3);
        add("st-empty-and-scalar", "2 tensors are not used: transformer.empty, transformer.scalar")
                .put("transformer.empty", "F32", new float[0], 0, 4).put("transformer.scalar", "F32", new float[] {3});
    }
}
