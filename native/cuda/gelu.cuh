// The activations of GPT-2's feed-forward layers.
#pragma once

#include "common.cuh"

// gelu_new(z) = z / (1 + e^(-2u)), u = sqrt(2 / pi) * (z + 0.044715 * z^3), as 0.5 * (1 + tanh u) = 1 / (1 + e^(-2u)).
struct Gelu {
    __device__ float operator()(float z) const {
        float u = 0.7978845608f * (z * z * 0.044715f + 1) * z;
        return z / (1 + expf(-2 * u));
    }
};

// gelu(z) = z * P(N(0, 1) < z), and P = erfc(-z / sqrt 2) / 2.
struct GeluErf {
    __device__ float operator()(float z) const { return 0.5f * z * erfcf(-0.7071067812f * z); }
};
