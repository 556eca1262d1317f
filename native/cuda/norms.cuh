// Statistics of a row, and LayerNorm, computed by a block: statistics in FP32, the variance from centred values. The sums
// of a row are computed again in FP64 if they overflow in FP32. All kernels that include this give the same bits.
#pragma once

#include "common.cuh"

// a * b + sum with one rounding: a compiler would choose for each kernel.
__device__ inline float fused(float a, float b, float sum) { return fmaf(a, b, sum); }
__device__ inline double fused(double a, double b, double sum) { return fma(a, b, sum); }

// Σ (x − centre)² over a row, or Σ x with `squares` false.
template <int W, bool squares, class Sum, class T>
__device__ Sum rowSum(const T* x, int64_t columns, Sum centre) {
    Sum sum = 0;
    for (int64_t c = threadIdx.x * W; c < columns; c += THREADS * W) {
        auto pack = load<W>(x + c);
        for (int i = 0; i < W; i++) {
            Sum value = number(pack.at[i]) - centre;
            sum = squares ? fused(value, value, sum) : sum + value;
        }
    }
    return blockSum(sum);
}

__device__ inline float root(float x) { return sqrtf(x); }
__device__ inline double root(double x) { return sqrt(x); }

template <class Sum>
struct Statistics {
    Sum mean;
    Sum scale; // 1 / √(variance + ε)

    __device__ bool overflowed() const { return !(scale > 0); }
};

template <int W, class Sum>
__device__ Statistics<Sum> statistics(const float* x, int64_t columns, float epsilon) {
    Sum mean = rowSum<W, false, Sum>(x, columns, 0) / columns;
    return {mean, 1 / root(rowSum<W, true, Sum>(x, columns, mean) / columns + epsilon)};
}

template <int W, class S, class Sum>
__device__ void writeNormalised(typename S::Type* y, const float* x, const float* gain, const float* bias,
                                int64_t columns, Statistics<Sum> of) {
    for (int64_t c = threadIdx.x * W; c < columns; c += THREADS * W) {
        auto in = load<W>(x + c);
        auto g = load<W>(gain + c);
        auto b = load<W>(bias + c);
        Pack<typename S::Type, W> out;
        for (int i = 0; i < W; i++) {
            Sum gained = g.at[i], added = b.at[i];
            out.at[i] = S::of(static_cast<float>(fused((in.at[i] - of.mean) * of.scale, gained, added)));
        }
        store<W>(y + c, out);
    }
}

template <int W, class S>
__device__ void normalise(typename S::Type* y, const float* x, const float* gain, const float* bias, int64_t columns,
                          float epsilon) {
    auto of = statistics<W, float>(x, columns, epsilon);
    if (of.overflowed()) {
        writeNormalised<W, S>(y, x, gain, bias, columns, statistics<W, double>(x, columns, epsilon));
    } else {
        writeNormalised<W, S>(y, x, gain, bias, columns, of);
    }
}
