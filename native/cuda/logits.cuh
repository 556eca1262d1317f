// Reductions over a row of logits, by a block; sums are in double precision, as a row has fifty thousand terms.
#pragma once

#include "common.cuh"

__device__ inline float rowMax(const float* x, int64_t columns) {
    float max = -INFINITY;
    for (int64_t c = threadIdx.x; c < columns; c += THREADS) {
        max = fmaxf(max, x[c]);
    }
    return blockMax(max);
}

__device__ inline double sumOfExponentials(const float* x, int64_t columns, float max) {
    double sum = 0;
    for (int64_t c = threadIdx.x; c < columns; c += THREADS) {
        sum += expf(x[c] - max);
    }
    return blockSum(sum);
}

__device__ inline double logSumExp(const float* x, int64_t columns) {
    float max = rowMax(x, columns);
    double sum = sumOfExponentials(x, columns, max);
    return fabsf(max) == INFINITY ? max : max + log(sum);
}
