/*
 * Matrix products on the processor.
 *
 * Each element of a product is one chain of fused multiply-adds in the order of the inner dimension. So its bits depend
 * on its row and its column alone: not on the shape, on how a product is divided among threads, on where the operands
 * lie, nor on the processor's vectors. Functions keep no state and may be called by any number of threads.
 *
 * Matrices are row-major and lie anywhere; a stride is the number of elements from one row to the next. C does not
 * overlap A, B or the scratch memory. Shapes are trusted.
 */
#ifndef LMDEBUGGER_CPU_H
#define LMDEBUGGER_CPU_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Returns the number of floats in the widest vectors that this processor has and the library was built for; 0: none. */
int32_t lmdebugger_cpu_lanes(void);

/* Returns the bytes of scratch memory that a product needs. */
int64_t lmdebugger_cpu_scratch(void);

/*
 * Computes C = A·B, or C += A·B with `accumulate`: c [m, n], a [m, k], b [k, n]; with `transposed`, A·Bᵀ: b [n, k].
 * `lanes`: 16 or 8, at most lmdebugger_cpu_lanes(). `scratch`: memory of this call's own, 64-byte aligned. Operands are
 * given by their addresses.
 */
void lmdebugger_cpu_sgemm(uint64_t c, uint64_t a, uint64_t b, int64_t m, int64_t n, int64_t k, int64_t c_stride,
        int64_t a_stride, int64_t b_stride, int32_t transposed, int32_t accumulate, int32_t lanes, uint64_t scratch);

#ifdef __cplusplus
}
#endif
#endif
