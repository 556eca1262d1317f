package org.lmdebugger.interpret.edit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PartTest {
    @ParameterizedTest
    @ValueSource(strings = {"L5D123", "L5H3", "L5H*", "L5H3.q", "L5H3.k", "L5H*.v", "L5H3.pattern", "L5.pre", "L5.mid",
            "L5.post", "L5.attention", "L5.ffn"})
    void textFormIsReadBack(String text) {
        assertThat(Part.parse(text)).hasToString(text);
    }

    @ParameterizedTest
    @CsvSource({"blocks.5.hook_resid_pre, L5.pre", "blocks.5.hook_resid_mid, L5.mid",
            "blocks.5.hook_resid_post, L5.post", "blocks.5.hook_attn_out, L5.attention",
            "blocks.5.hook_mlp_out, L5.ffn", "blocks.5.attn.hook_z, L5H*", "blocks.5.attn.hook_z[3], L5H3",
            "blocks.5.attn.hook_q[3], L5H3.q", "blocks.5.attn.hook_pattern[0], L5H0.pattern",
            "blocks.5.mlp.hook_post[12], L5D12"})
    void namesOfTransformerLensHooksAreRead(String hook, String part) {
        assertThat(Part.parse(hook)).hasToString(part);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "L5", "L5H", "L5X3", "L5H3.z", "L5.q", "5.pre", "L-1H2", "L5H3.link",
            "blocks.5.hook_embed", "blocks.5.mlp.hook_post"})
    void otherTextsAreRefused(String text) {
        assertThatThrownBy(() -> Part.parse(text)).isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("part: ").hasMessageContaining("expected: L5D123");
    }

    @ParameterizedTest
    @ValueSource(strings = {"L5H*=0", "L5H**=2", "L5H3*=2@last", "L5H3.q=from:\"a @ b\"@1..3", "L5H3.link=off@7->2",
            "L5H3.link=off@last->0", "L5.mid+=4*L3D42", "L5.post+=-3.2*L3D42@last", "L5.post+=token:\" king\"",
            "L5.post+=token:#620@2", "L5.pre+=0.5*norm*L3D42", "L5.pre+=norm*L3D42", "L5.mid-=L3D42@all",
            "L5.ffn+=2*some@where/vectors.npy#3@last", "L5.ffn+=2*v.safetensors#a.b:3", "L5H3+=2*v.npy#0"})
    void textFormOfAnEditIsReadBack(String text) {
        assertThat(Edit.parse(text)).hasToString(text.replace("@all", ""));
        assertThat(Edit.parse(Edit.parse(text).toString())).isEqualTo(Edit.parse(text));
    }

    @ParameterizedTest
    @CsvSource({"L5H3=1, operation of this part", "L5H3=on, operation of this part",
            "L5H3.pattern=0, operation of this part", "L5.mid=off, operation of this part",
            "L5.attention-=L3D42, operation of this part", "L5.ffn+=norm*L3D42, operation of this part",
            "L5D3+=L3D42, operation of this part", "L5D3-=L3D42, operation of this part",
            "L5H3.link=0@7->2, operation of this part", "L5H3.link=off, a query and a key",
            "L5H3.link=off@7, a query and a key", "L5H3.link=off@->2, positions", "L5.mid+=x, is not a number",
            "L5.mid+=3, operation of this part",
            "L5.mid+=2*, direction", "L5.mid-=2*L3D42, direction", "L5.mid+=1e99*L3D42, a finite number",
            "L5H3=0@each, each is a sweep's", "L5.middle=0, edit"})
    void whatAPartCannotDoIsRefused(String text, String reason) {
        assertThatThrownBy(() -> Edit.parse(text)).isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(reason).hasMessageContaining("expected: ");
    }

    @ParameterizedTest
    @ValueSource(strings = {"heads", "q", "k", "v", "pattern", "links", "pre", "mid", "post", "attention", "ffn",
            "heads:L2", "heads:L2-4", "L5H3", "L5H3,L5D1+L5D7", "L6H*", "pre,mid:L2-4,post", "heads,L5D1+L5D7"})
    void textFormOfASelectionIsReadBack(String text) {
        assertThat(PartSelection.parse(text)).hasToString(text);
    }

    @Test
    void operationsOfASweepNameDirections() {
        assertThat(Mode.EXACT.operation("add:4*L3D42"))
                .isEqualTo(new Edit.Operation.AddDirection(4, false, Direction.parse("L3D42")));
        assertThat(Mode.EXACT.operation("add:norm*token:\" king\""))
                .isEqualTo(new Edit.Operation.AddDirection(1, true, Direction.parse("token:\" king\"")));
        assertThat(Mode.EXACT.operation("project-out:v.npy#2"))
                .isEqualTo(new Edit.Operation.ProjectOut(Direction.parse("v.npy#2")));
        assertThatThrownBy(() -> Mode.EXACT.operation("add:x")).hasMessageContaining("is not a number");
    }

    @Test
    void neuronsAreASelectionOfTheirOwn() {
        assertThat(PartSelection.parse("neurons")).isEqualTo(NeuronSelection.ALL);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "head", "heads:5", "heads:L4-2", "L5H3,", "L5H3.link", "L5H3++L5H4"})
    void otherSelectionsAreRefused(String text) {
        assertThatThrownBy(() -> PartSelection.parse(text)).isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("sites: ").hasMessageContaining("expected: ");
    }
}
