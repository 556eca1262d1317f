package org.lmdebugger.device.cpu;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static org.lmdebugger.device.cpu.Layouts.F32;
import static org.lmdebugger.device.cpu.Layouts.I32;
import static org.lmdebugger.device.cpu.Layouts.SPECIES;
import static org.lmdebugger.device.cpu.Layouts.row;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import org.lmdebugger.device.Tensor;

/** The operations that treat each row, or each element, by itself; each for the rows from … to−1. */
final class Elementwise {
    private Elementwise() {
    }

    static void embed(Tensor x, Tensor tokens, Tensor positions, Tensor ids, Tensor at, long from, long to) {
        MemorySegment xs = CpuMemory.of(x), ts = CpuMemory.of(tokens), ps = CpuMemory.of(positions);
        for (long r = from; r < to; r++) {
            long x0 = row(x, r);
            long t0 = row(tokens, Layouts.index(ids, r));
            long p0 = row(positions, Layouts.index(at, r));
            for (long i = 0; i < x.columns(); i += SPECIES.length()) {
                var mask = SPECIES.indexInRange(i, x.columns());
                load(ts, t0 + 4 * i, mask).add(load(ps, p0 + 4 * i, mask)).intoMemorySegment(xs, x0 + 4 * i, LITTLE_ENDIAN, mask);
            }
        }
    }

    static void layerNorm(Tensor y, Tensor x, Tensor gain, Tensor bias, float epsilon, long from, long to) {
        MemorySegment ys = CpuMemory.of(y), xs = CpuMemory.of(x), gs = CpuMemory.of(gain), bs = CpuMemory.of(bias);
        long n = x.columns();
        for (long r = from; r < to; r++) {
            long x0 = row(x, r), y0 = row(y, r), g0 = gain.byteOffset(), b0 = bias.byteOffset();
            float mean = Reductions.sum(xs, x0, n) / n;
            float scale = (float) (1 / Math.sqrt(Reductions.squaredDeviation(xs, x0, n, mean) / n + epsilon));
            for (long i = 0; i < n; i += SPECIES.length()) {
                var mask = SPECIES.indexInRange(i, n);
                load(xs, x0 + 4 * i, mask).sub(mean).mul(scale)
                        .fma(load(gs, g0 + 4 * i, mask), load(bs, b0 + 4 * i, mask))
                        .intoMemorySegment(ys, y0 + 4 * i, LITTLE_ENDIAN, mask);
            }
        }
    }

    static void addBias(Tensor x, Tensor bias, long from, long to) {
        MemorySegment xs = CpuMemory.of(x), bs = CpuMemory.of(bias);
        long n = x.columns();
        for (long r = from; r < to; r++) {
            long x0 = row(x, r), b0 = bias.byteOffset();
            for (long i = 0; i < n; i += SPECIES.length()) {
                var mask = SPECIES.indexInRange(i, n);
                load(xs, x0 + 4 * i, mask).add(load(bs, b0 + 4 * i, mask)).intoMemorySegment(xs, x0 + 4 * i, LITTLE_ENDIAN, mask);
            }
        }
    }

    static void biasGelu(Tensor m, Tensor bias, long from, long to) {
        MemorySegment ms = CpuMemory.of(m), bs = CpuMemory.of(bias);
        long n = m.columns();
        for (long r = from; r < to; r++) {
            long m0 = row(m, r), b0 = bias.byteOffset();
            for (long i = 0; i < n; i += SPECIES.length()) {
                var mask = SPECIES.indexInRange(i, n);
                VectorMath.gelu(load(ms, m0 + 4 * i, mask).add(load(bs, b0 + 4 * i, mask)))
                        .intoMemorySegment(ms, m0 + 4 * i, LITTLE_ENDIAN, mask);
            }
        }
    }

    static void biasResidual(Tensor x, Tensor y, Tensor bias, long from, long to) {
        MemorySegment xs = CpuMemory.of(x), ys = CpuMemory.of(y), bs = CpuMemory.of(bias);
        long n = x.columns();
        for (long r = from; r < to; r++) {
            long x0 = row(x, r), y0 = row(y, r), b0 = bias.byteOffset();
            for (long i = 0; i < n; i += SPECIES.length()) {
                var mask = SPECIES.indexInRange(i, n);
                load(xs, x0 + 4 * i, mask).add(load(ys, y0 + 4 * i, mask).add(load(bs, b0 + 4 * i, mask)))
                        .intoMemorySegment(xs, x0 + 4 * i, LITTLE_ENDIAN, mask);
            }
        }
    }

    static void shiftResidual(Tensor x, Tensor shift, Tensor neurons, Tensor values, long from, long to) {
        MemorySegment xs = CpuMemory.of(x), vs = CpuMemory.of(values), ss = CpuMemory.of(shift);
        long n = x.columns();
        for (long r = from; r < to; r++) {
            long x0 = row(x, r), v0 = row(values, Layouts.index(neurons, r));
            var amount = FloatVector.broadcast(SPECIES, ss.get(F32, shift.byteOffset() + 4 * r));
            for (long i = 0; i < n; i += SPECIES.length()) {
                var mask = SPECIES.indexInRange(i, n);
                load(vs, v0 + 4 * i, mask).fma(amount, load(xs, x0 + 4 * i, mask))
                        .intoMemorySegment(xs, x0 + 4 * i, LITTLE_ENDIAN, mask);
            }
        }
    }

    static void editCoefficients(Tensor m, Tensor rows, Tensor neurons, Tensor scales, Tensor shifts) {
        MemorySegment ms = CpuMemory.of(m), as = CpuMemory.of(scales), bs = CpuMemory.of(shifts);
        for (long e = 0; e < rows.columns(); e++) {
            long at = row(m, Layouts.index(rows, e)) + 4L * Layouts.index(neurons, e);
            float scale = as.get(F32, scales.byteOffset() + 4 * e);
            float shift = bs.get(F32, shifts.byteOffset() + 4 * e);
            ms.set(F32, at, scale == 0 ? shift : scale * ms.get(F32, at) + shift);
        }
    }

    static void logitReader(Tensor reader, Tensor x, Tensor gain, Tensor head, Tensor tokens, float epsilon) {
        MemorySegment rs = CpuMemory.of(reader), xs = CpuMemory.of(x), gs = CpuMemory.of(gain), hs = CpuMemory.of(head);
        long n = x.columns();
        for (long r = 0; r < x.rows(); r++) {
            long r0 = row(reader, r), h0 = row(head, Layouts.index(tokens, r)), x0 = row(x, r), g0 = gain.byteOffset();
            float mean = Reductions.sum(xs, x0, n) / n;
            float scale = (float) (1 / Math.sqrt(Reductions.squaredDeviation(xs, x0, n, mean) / n + epsilon));
            for (long i = 0; i < n; i += SPECIES.length()) {
                var mask = SPECIES.indexInRange(i, n);
                load(gs, g0 + 4 * i, mask).mul(load(hs, h0 + 4 * i, mask)).mul(scale)
                        .intoMemorySegment(rs, r0 + 4 * i, LITTLE_ENDIAN, mask);
            }
            float centre = Reductions.sum(rs, r0, n) / n;
            for (long i = 0; i < n; i += SPECIES.length()) {
                var mask = SPECIES.indexInRange(i, n);
                load(rs, r0 + 4 * i, mask).sub(centre).intoMemorySegment(rs, r0 + 4 * i, LITTLE_ENDIAN, mask);
            }
        }
    }

    static void contributions(Tensor contributions, Tensor neurons, Tensor coefficients, Tensor values, Tensor reader) {
        MemorySegment cs = CpuMemory.of(contributions), ms = CpuMemory.of(coefficients);
        MemorySegment vs = CpuMemory.of(values), rs = CpuMemory.of(reader), is = CpuMemory.of(neurons);
        for (long r = 0; r < contributions.rows(); r++) {
            for (long j = 0; j < contributions.columns(); j++) {
                long v0 = row(values, is.get(I32, row(neurons, r) + 4 * j));
                float dot = Reductions.dot(vs, v0, rs, row(reader, r), reader.columns());
                cs.set(F32, row(contributions, r) + 4 * j, ms.get(F32, row(coefficients, r) + 4 * j) * dot);
            }
        }
    }

    static void rowNorms(Tensor norms, Tensor x, long from, long to) {
        MemorySegment ns = CpuMemory.of(norms), xs = CpuMemory.of(x);
        for (long r = from; r < to; r++) {
            float squares = Reductions.squaredDeviation(xs, row(x, r), x.columns(), 0);
            ns.set(F32, norms.byteOffset() + 4 * r, (float) Math.sqrt(squares));
        }
    }

    static void increment(Tensor counters) {
        var cs = CpuMemory.of(counters);
        for (long r = 0; r < counters.rows(); r++) {
            for (long i = 0; i < counters.columns(); i++) {
                long at = row(counters, r) + 4 * i;
                cs.set(I32, at, cs.get(I32, at) + 1);
            }
        }
    }

    private static FloatVector load(MemorySegment segment, long offset, VectorMask<Float> mask) {
        return FloatVector.fromMemorySegment(SPECIES, segment, offset, LITTLE_ENDIAN, mask);
    }
}
