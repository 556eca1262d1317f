// Products for vectors of one width each; a processor without such vectors must not call them.
#pragma once

#include <cstdint>

/** A product as lmdebugger_cpu_sgemm takes it; strides in elements. */
struct Product {
    float *c;
    const float *a;
    const float *b;
    int64_t m, n, k;
    int64_t c_stride, a_stride, b_stride;
    bool transposed;
    bool accumulate;
    float *scratch; // of SCRATCH bytes
};

constexpr int64_t SCRATCH = int64_t(3) << 20;

void multiply8(const Product &);
void multiply16(const Product &);
