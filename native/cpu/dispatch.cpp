// The choice of the vectors that a processor has.
#include "lmdebugger_cpu.h"
#include "products.h"

int32_t lmdebugger_cpu_lanes(void) {
    if (__builtin_cpu_supports("avx512f")) {
        return 16;
    }
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? 8 : 0;
}

int64_t lmdebugger_cpu_scratch(void) {
    return SCRATCH;
}

void lmdebugger_cpu_sgemm(uint64_t c, uint64_t a, uint64_t b, int64_t m, int64_t n, int64_t k, int64_t c_stride,
        int64_t a_stride, int64_t b_stride, int32_t transposed, int32_t accumulate, int32_t lanes, uint64_t scratch) {
    const Product product {reinterpret_cast<float *>(c), reinterpret_cast<const float *>(a),
            reinterpret_cast<const float *>(b), m, n, k, c_stride, a_stride, b_stride, transposed != 0, accumulate != 0,
            reinterpret_cast<float *>(scratch)};
    (lanes == 16 ? multiply16 : multiply8)(product);
}
