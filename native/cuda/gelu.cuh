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

// With s = 1 / (1 + e^(-2u)), gelu_new'(z) = s + 2 * z * u' * s * (1 - s); beyond 10 it is 1 to the last bit, below -10 it
// is 0.
struct GeluSlope {
    __device__ float operator()(float z) const {
        z = z > 10 ? 10 : z < -10 ? -10 : z; // fmaxf would hide NaN
        float e = expf(-2 * 0.7978845608f * (z * z * 0.044715f + 1) * z);
        float s = 1 / (1 + e);
        return s + 2 * 0.7978845608f * z * (z * z * (3 * 0.044715f) + 1) * s * (e * s);
    }
};

// gelu(z) = z * P(N(0, 1) < z), and P = erfc(-z / sqrt 2) / 2.
struct GeluErf {
    __device__ float operator()(float z) const { return 0.5f * z * erfcf(-0.7071067812f * z); }
};

// gelu'(z) = P(N(0, 1) < z) + z * e^(-z * z / 2) / sqrt(2 * pi); beyond 14 it is 1 to the last bit, below -14 it is 0.
struct GeluErfSlope {
    __device__ float operator()(float z) const {
        z = z > 14 ? 14 : z < -14 ? -14 : z;
        return 0.5f * erfcf(-0.7071067812f * z) + z * 0.3989422804f * expf(-0.5f * z * z);
    }
};
