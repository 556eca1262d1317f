package org.lmdebugger.device.cpu;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;
import org.lmdebugger.device.Tensor;

/** How a tensor's elements lie in memory. */
final class Layouts {
    static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfInt I32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    /**
     * The widest vectors. Arithmetic is called on a vector fresh from memory or from another operation, never on a
     * variable that a loop carries: of that one the compiler knows the exact class by profile only, and without a
     * profile it calls a method that makes objects.
     */
    static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;

    private Layouts() {
    }

    /** Where row {@code r} starts, in bytes. */
    static long row(Tensor tensor, long r) {
        return tensor.byteOffset() + r * tensor.stride() * tensor.type().bytes();
    }

    /** Element {@code i} of a vector of indices. */
    static int index(Tensor indices, long i) {
        return CpuMemory.of(indices).get(I32, indices.byteOffset() + 4 * i);
    }
}
