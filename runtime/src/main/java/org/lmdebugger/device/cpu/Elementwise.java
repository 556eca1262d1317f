package org.lmdebugger.device.cpu;

import static org.lmdebugger.device.cpu.Layouts.F32;
import static org.lmdebugger.device.cpu.Layouts.I32;
import static org.lmdebugger.device.cpu.Layouts.row;

import java.lang.foreign.MemorySegment;
import org.lmdebugger.device.Gelu;
import org.lmdebugger.device.Tensor;

/** Operations on each row, or each element, by itself. Every method computes rows from … to−1. */
final class Elementwise {
    private Elementwise() {
    }

    static void embed(Tensor x, Tensor tokens, Tensor positions, Tensor ids, Tensor at, long from, long to) {
        for (long r = from; r < to; r++) {
            long x0 = row(x, r), token = row(tokens, Layouts.index(ids, r)),
                    position = row(positions, Layouts.index(at, r));
            for (long i = 0; i < x.columns(); i += RowBuffers.SIZE) {
                int n = RowBuffers.count(i, x.columns());
                add(x, x0 + 4 * i, tokens, token + 4 * i, positions, position + 4 * i, n);
            }
        }
    }

    static void addBias(Tensor x, Tensor bias, long from, long to) {
        for (long r = from; r < to; r++) {
            long x0 = row(x, r);
            for (long i = 0; i < x.columns(); i += RowBuffers.SIZE) {
                int n = RowBuffers.count(i, x.columns());
                add(x, x0 + 4 * i, x, x0 + 4 * i, bias, bias.byteOffset() + 4 * i, n);
            }
        }
    }

    /** Computes to = a + b, n elements from the given offsets on. */
    private static void add(Tensor to, long to0, Tensor a, long a0, Tensor b, long b0, int n) {
        var block = RowBuffers.ofThread();
        float[] x = block.x, y = block.y;
        RowBuffers.load(x, CpuMemory.of(a), a0, n);
        RowBuffers.load(y, CpuMemory.of(b), b0, n);
        for (int i = 0; i < n; i++) {
            x[i] += y[i];
        }
        RowBuffers.store(CpuMemory.of(to), to0, x, n);
    }

    static void biasGelu(Tensor m, Tensor bias, Gelu gelu, long from, long to) {
        MemorySegment ms = CpuMemory.of(m), bs = CpuMemory.of(bias);
        var block = RowBuffers.ofThread();
        float[] x = block.x, b = block.y;
        for (long r = from; r < to; r++) {
            for (long at = 0; at < m.columns(); at += RowBuffers.SIZE) {
                int n = RowBuffers.count(at, m.columns());
                RowBuffers.load(x, ms, row(m, r) + 4 * at, n);
                RowBuffers.load(b, bs, bias.byteOffset() + 4 * at, n);
                for (int i = 0; i < n; i++) {
                    x[i] += b[i];
                }
                switch (gelu) {
                    case TANH -> VectorMath.gelu(x, block.z, n);
                    case ERF -> VectorMath.geluErf(x, block.y, block.z, n);
                }
                RowBuffers.store(ms, row(m, r) + 4 * at, x, n);
            }
        }
    }

    static void biasGeluBackward(Tensor dm, Tensor m, Tensor bias, Gelu gelu, long from, long to) {
        MemorySegment ds = CpuMemory.of(dm), ms = CpuMemory.of(m), bs = CpuMemory.of(bias);
        var block = RowBuffers.ofThread();
        float[] x = block.x;
        for (long r = from; r < to; r++) {
            for (long at = 0; at < m.columns(); at += RowBuffers.SIZE) {
                int n = RowBuffers.count(at, m.columns());
                RowBuffers.load(x, ms, row(m, r) + 4 * at, n);
                RowBuffers.load(block.y, bs, bias.byteOffset() + 4 * at, n);
                for (int i = 0; i < n; i++) {
                    x[i] += block.y[i];
                }
                switch (gelu) {
                    case TANH -> VectorMath.geluSlope(x, block.z, n);
                    case ERF -> VectorMath.geluErfSlope(x, block.y, block.z, n);
                }
                RowBuffers.load(block.y, ds, row(dm, r) + 4 * at, n);
                for (int i = 0; i < n; i++) {
                    x[i] *= block.y[i];
                }
                RowBuffers.store(ds, row(dm, r) + 4 * at, x, n);
            }
        }
    }

    static void biasResidual(Tensor x, Tensor y, Tensor bias, long from, long to) {
        var block = RowBuffers.ofThread();
        float[] stream = block.x, added = block.y, b = block.z;
        for (long r = from; r < to; r++) {
            for (long at = 0; at < x.columns(); at += RowBuffers.SIZE) {
                int n = RowBuffers.count(at, x.columns());
                RowBuffers.load(stream, CpuMemory.of(x), row(x, r) + 4 * at, n);
                RowBuffers.load(added, CpuMemory.of(y), row(y, r) + 4 * at, n);
                RowBuffers.load(b, CpuMemory.of(bias), bias.byteOffset() + 4 * at, n);
                for (int i = 0; i < n; i++) {
                    stream[i] += added[i] + b[i];
                }
                RowBuffers.store(CpuMemory.of(x), row(x, r) + 4 * at, stream, n);
            }
        }
    }

    static void shiftResidual(Tensor x, Tensor shift, Tensor neurons, Tensor values, long from, long to) {
        var block = RowBuffers.ofThread();
        float[] stream = block.x, v = block.y;
        for (long r = from; r < to; r++) {
            long v0 = row(values, Layouts.index(neurons, r));
            float amount = CpuMemory.of(shift).get(F32, shift.byteOffset() + 4 * r);
            for (long at = 0; at < x.columns(); at += RowBuffers.SIZE) {
                int n = RowBuffers.count(at, x.columns());
                RowBuffers.load(stream, CpuMemory.of(x), row(x, r) + 4 * at, n);
                RowBuffers.load(v, CpuMemory.of(values), v0 + 4 * at, n);
                for (int i = 0; i < n; i++) {
                    stream[i] = Math.fma(amount, v[i], stream[i]);
                }
                RowBuffers.store(CpuMemory.of(x), row(x, r) + 4 * at, stream, n);
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

    /** Computes elements from … to−1 of the matrix, counted row after row. */
    static void contributions(Tensor contributions, Tensor neurons, Tensor coefficients, Tensor values, Tensor reader,
            long from, long to) {
        MemorySegment cs = CpuMemory.of(contributions), ms = CpuMemory.of(coefficients);
        MemorySegment vs = CpuMemory.of(values), rs = CpuMemory.of(reader), is = CpuMemory.of(neurons);
        for (long i = from; i < to; i++) {
            long r = i / contributions.columns();
            long j = i % contributions.columns();
            long v0 = row(values, is.get(I32, row(neurons, r) + 4 * j));
            float dot = Reductions.dot(vs, v0, rs, row(reader, r), reader.columns());
            cs.set(F32, row(contributions, r) + 4 * j, ms.get(F32, row(coefficients, r) + 4 * j) * dot);
        }
    }
}
