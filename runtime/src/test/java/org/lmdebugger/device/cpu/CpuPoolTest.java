package org.lmdebugger.device.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.lmdebugger.device.ElementType;

class CpuPoolTest {
    private static final long MEGABYTE = 1 << 20;

    private final CpuPool pool = new CpuPool();

    @Test
    void whatWasFreedServesAgainIfItFits() {
        var block = pool.allocate(1000);
        assertThat(block.byteSize()).isBetween(1000L, 1250L);
        assertThat(block.memory().address() % 64).isZero();
        assertThat(pool.allocate(1000).memory().address()).isNotEqualTo(block.memory().address());
        pool.free(block);
        assertThat(pool.allocate(4000)).isNotEqualTo(block);
        assertThat(pool.allocate(1001)).isEqualTo(block);
        assertThat(pool.allocate(0).byteSize()).isZero();
    }

    @Test
    void onlySoMuchIsKept() {
        var blocks = Stream.generate(() -> pool.allocate(64 * MEGABYTE)).limit(6).toList();
        blocks.forEach(pool::free);
        assertThat(blocks).extracting(block -> block.arena().scope().isAlive()).containsExactly(false, false, true,
                true, true, true);
        var large = pool.allocate(257 * MEGABYTE);
        pool.free(large);
        assertThat(large.arena().scope().isAlive()).isFalse();
        var small = Stream.generate(() -> pool.allocate(64)).limit(600).toList();
        small.forEach(pool::free);
        assertThat(small).filteredOn(block -> block.arena().scope().isAlive()).hasSize(512);
    }

    @Test
    void whatIsKeptGoesWhenMemoryRunsOut() {
        var kept = pool.allocate(64);
        pool.free(kept);
        assertThatThrownBy(() -> pool.allocate(1L << 50)).isInstanceOf(OutOfMemoryError.class);
        assertThat(kept.arena().scope().isAlive()).isFalse();
        assertThat(pool.allocate(64).memory().byteSize()).isEqualTo(64);
    }

    @Test
    void aClosedPoolKeepsNothing() {
        var kept = pool.allocate(64);
        var open = pool.allocate(64);
        pool.free(kept);
        pool.close();
        assertThat(kept.arena().scope().isAlive()).isFalse();
        assertThat(open.arena().scope().isAlive()).isTrue();
        pool.free(open);
        assertThat(open.arena().scope().isAlive()).isFalse();
    }

    @Test
    void aTensorIsNotUsedWhenItsMemoryServesAnother() {
        try (var device = new CpuDevice(1)) {
            var tensor = device.allocate(ElementType.F32, 2, 8);
            tensor.close();
            try (var next = device.allocate(ElementType.F32, 2, 8)) {
                tensor.close(); // again: does nothing
                try (var other = device.allocate(ElementType.F32, 2, 8)) {
                    assertThat(CpuMemory.of(other).address()).isNotEqualTo(CpuMemory.of(next).address());
                }
                assertThatThrownBy(tensor::toFloats).isInstanceOf(IllegalStateException.class)
                        .hasMessageEndingWith("closed");
            }
        }
    }
}
