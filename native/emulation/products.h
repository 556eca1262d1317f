// Matrix products as plain loops, for the emulated cuBLAS and cuBLASLt: column-major, with the rounding of the chosen
// arithmetic.
#pragma once

#include "runtime.h"

extern "C" {

enum cublasStatus_t : int {
    CUBLAS_STATUS_SUCCESS = 0,
    CUBLAS_STATUS_NOT_INITIALIZED = 1,
    CUBLAS_STATUS_ALLOC_FAILED = 3,
    CUBLAS_STATUS_INVALID_VALUE = 7,
    CUBLAS_STATUS_EXECUTION_FAILED = 13,
    CUBLAS_STATUS_INTERNAL_ERROR = 14,
    CUBLAS_STATUS_NOT_SUPPORTED = 15,
};

} // extern "C"

namespace emulation {

constexpr int R_32F = 0, R_16BF = 14;
constexpr int COMPUTE_32F = 68, COMPUTE_32F_PEDANTIC = 69, COMPUTE_32F_FAST_TF32 = 77;
constexpr size_t HANDLE = 1 << 20; // bytes of a handle

struct Operand {
    const void* data;
    int type;
    int ld;
    long long stride;
    bool transposed;
};

enum class Rounding { NONE, NEAREST, CUT };

/** What differs between the kernels that a library chooses by shape. */
struct Kernel {
    Rounding rounding; // of FP32 operands
    int parts; // of a sum, which are added up one by one
};

/** C = alpha·A·B + beta·C + bias, where the bias may be null. */
struct Product {
    int m, n, k;
    float alpha, beta;
    Operand a, b;
    const float* bias;
    void* c;
    int ldc;
    long long strideC;
    int batch;
    Kernel kernel;
};

/** Memory that belongs to a library while it computes. */
struct Workspace {
    char* memory;
    size_t bytes;
};

/** Runs the body of a function of cuBLAS under the lock. */
cublasStatus_t guarded(const std::function<cublasStatus_t()>& body);

/** Returns whether FP32 operands are rounded: if asked for, unless the environment says otherwise. */
bool roundsToTf32(bool asked);

/** Returns the kernel for products of this shape; n is the number of rows of a row-major caller. */
Kernel choose(bool tf32, int m, int n, int k, bool bias);

cublasStatus_t check(const Product& product, int typeC, int compute);

/** Queues a product, which fills the workspace with NaN. */
cublasStatus_t submit(cudaStream_t stream, const Workspace& workspace, const Product& product);

} // namespace emulation
