// The order in which numbers are selected: largest first, NaN above all, ties to the lower index. A key is the larger the
// earlier its element comes, and no two elements of a row share one. No key is 0, or as large as can be.
#pragma once

#include "common.cuh"

using Key = unsigned long long;

__device__ inline Key keyOf(float value, int64_t index) {
    unsigned bits = __float_as_uint(value + 0.0f); // -0 becomes 0
    unsigned order = value != value ? 0xfffffffeu : bits & 0x80000000u ? ~bits : bits | 0x80000000u;
    return static_cast<Key>(order) << 32 | (0xffffffffu - static_cast<unsigned>(index));
}

__device__ inline int32_t indexOf(Key key) {
    return static_cast<int32_t>(0xffffffffu - static_cast<unsigned>(key));
}

BLOCK_FUNCTION Key blockMaxKey(Key key) {
    __shared__ Key maxima[WARPS];
    for (int other = 16; other > 0; other /= 2) {
        Key that = __shfl_xor_sync(ALL, key, other);
        key = that > key ? that : key;
    }
    __syncthreads(); // until the maxima of the previous call have been read
    if (threadIdx.x % 32 == 0) {
        maxima[threadIdx.x / 32] = key;
    }
    __syncthreads();
    Key max = maxima[0];
    for (int w = 1; w < WARPS; w++) {
        max = maxima[w] > max ? maxima[w] : max;
    }
    return max;
}
