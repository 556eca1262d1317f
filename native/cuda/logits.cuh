// The softmax of a row of logits, by a block, in one pass. A thread adds up few enough terms for single precision; the
// threads' sums are added in double precision.
#pragma once

#include "common.cuh"

#include <cfloat>

// Sums over elements x of a row: Σ e and Σ e·(x − max), with e = exp(x − max) and the largest element so far as max.
struct Exponentials {
    float max = -FLT_MAX; // finite, so that elements of -INFINITY have weight 0 also where they come first
    float sum = 0;
    float weighted = 0;

    template <int W>
    __device__ void add(const Pack<float, W>& x) {
        float largest = max;
        for (int i = 0; i < W; i++) {
            largest = fmaxf(largest, x.at[i]);
        }
        if (largest > max) {
            moveTo(largest);
        }
        for (int i = 0; i < W; i++) {
            float e = expf(x.at[i] - max);
            sum += e;
            weighted += e == 0 ? 0 : e * (x.at[i] - max); // 0 log 0 = 0
        }
    }

    // Restates the sums for another max, which is not below that of the elements.
    __device__ void moveTo(float other) {
        float keep = expf(max - other);
        weighted = sum == 0 ? 0 : keep * (weighted + (max - other) * sum);
        sum *= keep;
        max = other;
    }
};

// The sums over a whole row, from each thread's.
struct Softmax {
    Exponentials own; // with the row's max
    double sum;

    __device__ explicit Softmax(Exponentials of) : own(of) {
        own.moveTo(blockMax(own.max));
        sum = blockSum(static_cast<double>(own.sum));
    }

    __device__ double logSumExp() const { return own.max == INFINITY ? own.max : own.max + log(sum); }

    // Returns -sum p log p = log S - sum e (x - max) / S; all threads take part.
    __device__ double entropy() const { return log(sum) - blockSum(static_cast<double>(own.weighted)) / sum; }
};
