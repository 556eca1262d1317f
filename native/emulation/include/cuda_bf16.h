// Takes the place of CUDA's header of this name: the upper half of a float.
#pragma once

#include "kernel_language.h"

struct __nv_bfloat16 {
    uint16_t bits;
};

inline float __bfloat162float(__nv_bfloat16 value) { return __uint_as_float(static_cast<unsigned>(value.bits) << 16); }

/** Rounds to nearest, ties to even; NaN becomes the NaN of CUDA. */
inline __nv_bfloat16 __float2bfloat16(float value) {
    if (value != value) {
        return {0x7fff};
    }
    unsigned bits = __float_as_uint(value);
    return {static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}
