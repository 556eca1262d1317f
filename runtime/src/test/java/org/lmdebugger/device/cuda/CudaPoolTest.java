package org.lmdebugger.device.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashSet;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.lmdebugger.device.cuda.CudaPool.Block;

/** Blocks by their addresses alone, without a GPU. */
class CudaPoolTest {
    private final CudaPool pool = new CudaPool(100_000);

    private static Block block(long address, long bytes) {
        return new Block(address, bytes);
    }

    @Test
    void theSmallestBlockThatIsLargeEnoughIsUsedAgain() {
        pool.add(block(1, 12_500));
        pool.add(block(2, 10_000));
        pool.add(block(3, 9_999));
        assertThat(pool.take(10_000)).isEqualTo(block(2, 10_000));
        assertThat(pool.take(10_000)).isEqualTo(block(1, 12_500));
        assertThat(pool.take(10_000)).isNull();
        assertThat(pool.take(9_999)).isEqualTo(block(3, 9_999));
    }

    @Test
    void aBlockThatIsMuchLargerIsLeftForOthers() {
        pool.add(block(1, 12_501));
        pool.add(block(2, 517));
        assertThat(pool.take(10_000)).isNull();
        assertThat(pool.take(4)).isNull();
        assertThat(pool.take(5)).isEqualTo(block(2, 517));
    }

    @Test
    void ofEqualBlocksTheOneFreedLastIsUsed() {
        pool.add(block(1, 100));
        pool.add(block(2, 100));
        assertThat(pool.take(100)).isEqualTo(block(2, 100));
    }

    @Test
    void whatIsTooMuchIsGivenBackTheOldestFirst() {
        assertThat(pool.add(block(1, 40_000))).isEmpty();
        assertThat(pool.add(block(2, 20_000))).isEmpty();
        assertThat(pool.add(block(3, 40_000))).isEmpty();
        assertThat(pool.add(block(4, 45_000))).containsExactly(block(1, 40_000), block(2, 20_000));
        assertThat(pool.add(block(5, 100_001))).containsExactly(block(3, 40_000), block(4, 45_000), block(5, 100_001));
        assertThat(pool.takeAll()).isEmpty();
    }

    @Test
    void allIsGivenBackTheOldestFirst() {
        pool.add(block(7, 30));
        pool.add(block(5, 20));
        assertThat(pool.takeAll()).containsExactly(block(7, 30), block(5, 20));
        assertThat(pool.take(20)).isNull();
        assertThat(pool.add(block(8, 100_000))).isEmpty(); // nothing else counts
    }

    /** As many sizes as a server sees prompts of: what is kept stays below the limit, and each block is somewhere once. */
    @Test
    void anyNumberOfSizesStaysBelowTheLimit() {
        var random = new Random(Long.getLong("test.seed", 1));
        var kept = new HashSet<Block>();
        var used = new HashSet<Block>();
        for (int i = 0; i < 20_000; i++) {
            int size = 1 + random.nextInt(9_000);
            var found = pool.take(size);
            if (found != null) {
                assertThat(kept.remove(found)).isTrue();
                assertThat(found.bytes()).isBetween((long) size, size + Math.max(size / 4L, 512));
            }
            used.add(found == null ? block(i, size) : found);
            while (used.size() > 5) {
                var freed = used.iterator().next();
                used.remove(freed);
                kept.add(freed);
                pool.add(freed).forEach(surplus -> assertThat(kept.remove(surplus)).isTrue());
            }
            assertThat(kept.stream().mapToLong(Block::bytes).sum()).isLessThanOrEqualTo(100_000);
        }
        assertThat(pool.takeAll()).containsExactlyInAnyOrderElementsOf(kept);
    }
}
