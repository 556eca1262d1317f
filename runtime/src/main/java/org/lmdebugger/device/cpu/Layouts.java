package org.lmdebugger.device.cpu;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;
import org.lmdebugger.device.Tensor;

/** Layouts of a tensor's elements in memory, and the vectors that read them. */
final class Layouts {
    static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfDouble F64 = ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfInt I32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    /**
     * The widest vectors. Rule: no operation is called on a loop-carried vector variable, only on a vector that was
     * just loaded or computed. The exact class of a loop-carried variable is known from the type profile only; without
     * a profile C2 does not inline the operation, and every result is boxed.
     */
    static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;

    private Layouts() {
    }

    /** Returns the start of row {@code r}, in bytes. */
    static long row(Tensor tensor, long r) {
        return tensor.byteOffset() + r * tensor.stride() * tensor.type().bytes();
    }

    /** Returns element {@code i} of a vector of indices. */
    static int index(Tensor indices, long i) {
        return CpuMemory.of(indices).get(I32, indices.byteOffset() + 4 * i);
    }
}
