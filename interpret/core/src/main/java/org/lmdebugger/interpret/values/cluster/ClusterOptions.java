package org.lmdebugger.interpret.values.cluster;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import org.lmdebugger.interpret.values.ValueVectors;

/**
 * How value vectors are clustered.
 *
 * @param count  number of clusters
 * @param memory bytes that the matrix of all similarities may take; if it needs more, k-means is done instead
 * @param seed   of k-means
 */
public record ClusterOptions(int count, long memory, long seed) {
    /** As the original for GPT-2 medium. */
    private static final int MOST = 3000;

    /**
     * 3,000 clusters, or a twelfth of the vectors of a small model; three quarters of the machine's memory on the CPU,
     * and on another device as much as there is.
     */
    public static ClusterOptions of(ValueVectors vectors) {
        var machine = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        long memory = vectors.device().name().equals("cpu") ? machine.getTotalMemorySize() / 4 * 3 : Long.MAX_VALUE;
        return new ClusterOptions(Math.min(MOST, vectors.count() / 12), memory, 0);
    }

    public ClusterOptions count(int clusters) {
        return new ClusterOptions(clusters, memory, seed);
    }

    public ClusterOptions memory(long bytes) {
        return new ClusterOptions(count, bytes, seed);
    }

    public ClusterOptions seed(long number) {
        return new ClusterOptions(count, memory, number);
    }
}
