// Takes the place of CUDA's header of this name: IEEE 754 half precision.
#pragma once

#include "kernel_language.h"

struct __half {
    uint16_t bits;
};

inline float __half2float(__half value) {
    unsigned exponent = value.bits >> 10 & 31;
    float fraction = static_cast<float>(value.bits & 1023) / 1024;
    float size = exponent == 31 ? (fraction == 0 ? INFINITY : NAN)
               : exponent == 0 ? std::ldexp(fraction, -14)
                               : std::ldexp(1 + fraction, static_cast<int>(exponent) - 15);
    return value.bits >> 15 ? -size : size;
}
