// cuBLAS's matrix products as plain loops, with its rules for arguments and the rounding of the chosen arithmetic. The
// workspace is filled with NaN by every product, as it belongs to cuBLAS.
#include "include/kernel_language.h"
#include "runtime.h"

#include "settings.h"
#include <algorithm>
#include <cstring>
#include <random>
#include <set>

struct cublasContext {
    int device;
    cudaStream_t stream = nullptr;
    char* workspace = nullptr;
    size_t workspaceBytes = 0;
    int mathMode = 0;
};

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

typedef cublasContext* cublasHandle_t;

} // extern "C"

using namespace emulation;

namespace {

constexpr int OP_N = 0, OP_T = 1;
constexpr int DEFAULT_MATH = 0, PEDANTIC_MATH = 2, TF32_MATH = 3;
constexpr int R_32F = 0, R_16BF = 14;
constexpr int COMPUTE_32F = 68, COMPUTE_32F_PEDANTIC = 69, COMPUTE_32F_FAST_TF32 = 77;
constexpr size_t WORKSPACE_USED = 4 << 20;
constexpr size_t HANDLE = 1 << 20, CODE = 8 << 20; // bytes of a handle, and of all kernels, which the first product loads

std::set<cublasContext*> handles;
std::set<int> loaded; // devices that have the kernels

cublasStatus_t call(const std::function<cublasStatus_t()>& body) {
    std::lock_guard guard(lock);
    auto status = body();
    return status == CUBLAS_STATUS_SUCCESS && emulation::call([] { return cudaSuccess; }) != cudaSuccess
        ? CUBLAS_STATUS_EXECUTION_FAILED : status;
}

cublasStatus_t with(cublasHandle_t handle, const std::function<cublasStatus_t()>& body) {
    return call([&] { return handles.count(handle) == 0 ? CUBLAS_STATUS_NOT_INITIALIZED : body(); });
}

struct Operand {
    const void* data;
    int type;
    int ld;
    long long stride;
    bool transposed;
};

enum class Rounding { NONE, NEAREST, CUT };

/** What differs between the kernels that cuBLAS chooses by shape. */
struct Kernel {
    Rounding rounding; // of FP32 operands
    int parts; // of a sum, which are added up one by one
};

struct Product {
    int m, n, k;
    float alpha, beta;
    Operand a, b;
    void* c;
    int ldc;
    long long strideC;
    int batch;
    Kernel kernel;
};

size_t bytes(int type) { return type == R_32F ? 4 : 2; }

/** Rounds to ten bits of mantissa: to nearest with ties away from zero, or by cutting off the others. */
float round(float value, Rounding rounding) {
    if (rounding == Rounding::NONE || !std::isfinite(value)) {
        return value;
    }
    return __uint_as_float((__float_as_uint(value) + (rounding == Rounding::NEAREST ? 0x1000 : 0)) & ~0x1fffu);
}

/** Returns the kernel for products of this shape; n is the number of rows of a row-major caller. */
Kernel choose(bool tf32, int m, int n, int k) {
    auto seed = shapes();
    if (seed.empty()) {
        return {tf32 ? Rounding::NEAREST : Rounding::NONE, 1};
    }
    std::seed_seq numbers{std::stoi(seed), m, n, k};
    std::mt19937 random(numbers);
    auto rounding = random() % 2 == 0 ? Rounding::NEAREST : Rounding::CUT;
    return {!tf32 || n == 1 ? Rounding::NONE : rounding, 1 + static_cast<int>(random() % 4)};
}

float element(const Operand& operand, const char* data, int64_t row, int64_t column, Rounding rounding) {
    int64_t at = operand.transposed ? row * operand.ld + column : column * operand.ld + row; // columns are contiguous
    if (operand.type == R_16BF) {
        uint16_t bits;
        std::memcpy(&bits, data + 2 * at, 2);
        return __uint_as_float(static_cast<unsigned>(bits) << 16);
    }
    float value;
    std::memcpy(&value, data + 4 * at, 4);
    return round(value, rounding);
}

void multiplyOne(const Product& p, const char* a, const char* b, char* c) {
    std::vector<float> columns(static_cast<size_t>(p.m) * p.k); // op(A), column by column
    for (int l = 0; l < p.k; l++) {
        for (int i = 0; i < p.m; i++) {
            columns[static_cast<size_t>(l) * p.m + i] = element(p.a, a, i, l, p.kernel.rounding);
        }
    }
    std::vector<float> sums(p.m), part(p.m);
    int length = (p.k + p.kernel.parts - 1) / p.kernel.parts; // of a part
    for (int j = 0; j < p.n; j++) {
        std::fill(sums.begin(), sums.end(), 0.0f);
        for (int first = 0; first < p.k; first += length) {
            std::fill(part.begin(), part.end(), 0.0f);
            for (int l = first; l < std::min(first + length, p.k); l++) {
                float factor = element(p.b, b, l, j, p.kernel.rounding);
                const float* column = columns.data() + static_cast<size_t>(l) * p.m;
                for (int i = 0; i < p.m; i++) {
                    part[i] += column[i] * factor;
                }
            }
            std::transform(sums.begin(), sums.end(), part.begin(), sums.begin(), std::plus<float>());
        }
        auto* to = reinterpret_cast<float*>(c) + static_cast<int64_t>(j) * p.ldc;
        for (int i = 0; i < p.m; i++) {
            to[i] = p.beta == 0 ? p.alpha * sums[i] : p.alpha * sums[i] + p.beta * to[i]; // with beta 0, C is not read
        }
    }
}

size_t extent(int rows, int columns, int ld, long long stride, int batch, size_t size) {
    return rows == 0 || columns == 0 ? 0 : ((batch - 1) * stride + static_cast<int64_t>(columns - 1) * ld + rows) * size;
}

size_t extent(const Operand& operand, int rows, int columns, int batch) {
    return operand.transposed ? extent(columns, rows, operand.ld, operand.stride, batch, bytes(operand.type))
                              : extent(rows, columns, operand.ld, operand.stride, batch, bytes(operand.type));
}

void multiply(const Product& p) {
    size_t bytesA = extent(p.a, p.m, p.k, p.batch), bytesB = extent(p.b, p.k, p.n, p.batch);
    size_t bytesC = extent(p.m, p.n, p.ldc, p.strideC, p.batch, 4);
    if (!onDevice(p.a.data, bytesA) || !onDevice(p.b.data, bytesB) || !onDevice(p.c, bytesC)) {
        fault(cudaErrorIllegalAddress, "a product of m " + std::to_string(p.m) + ", n " + std::to_string(p.n) + ", k "
              + std::to_string(p.k) + ": an operand does not lie within a block of device memory");
        return;
    }
    for (int i = 0; i < p.batch; i++) {
        multiplyOne(p, static_cast<const char*>(p.a.data) + i * p.a.stride * bytes(p.a.type),
                    static_cast<const char*>(p.b.data) + i * p.b.stride * bytes(p.b.type),
                    static_cast<char*>(p.c) + i * p.strideC * 4);
    }
}

cublasStatus_t check(const Product& p, int typeC, int compute, int operationA, int operationB) {
    if ((operationA != OP_N && operationA != OP_T) || (operationB != OP_N && operationB != OP_T)
        || p.m < 0 || p.n < 0 || p.k < 0 || p.batch < 0) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    int rowsA = p.a.transposed ? p.k : p.m, rowsB = p.b.transposed ? p.n : p.k;
    if (p.a.ld < std::max(1, rowsA) || p.b.ld < std::max(1, rowsB) || p.ldc < std::max(1, p.m)) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    bool types = p.a.type == p.b.type && (p.a.type == R_32F || p.a.type == R_16BF) && typeC == R_32F;
    bool arithmetic = compute == COMPUTE_32F || compute == COMPUTE_32F_PEDANTIC
                      || (compute == COMPUTE_32F_FAST_TF32 && p.a.type == R_32F);
    if (!types || !arithmetic) {
        return CUBLAS_STATUS_NOT_SUPPORTED;
    }
    bool empty = p.m == 0 || p.n == 0 || p.batch == 0;
    bool missing = p.c == nullptr || (p.k > 0 && (p.a.data == nullptr || p.b.data == nullptr));
    return !empty && missing ? CUBLAS_STATUS_INVALID_VALUE : CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t submit(cublasHandle_t handle, const Product& product) {
    CUstream_st* stream;
    if (find(handle->stream, stream) != cudaSuccess || stream->device != currentDevice()) {
        return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    // Without a workspace of the caller's, cuBLAS allocates one, which is illegal during a capture.
    if (handle->workspace == nullptr && stream->capture != cudaStreamCaptureStatusNone) {
        spoilsCapture();
        return CUBLAS_STATUS_ALLOC_FAILED;
    }
    if (loaded.count(stream->device) == 0) {
        if (!occupy(stream->device, CODE)) {
            return CUBLAS_STATUS_INTERNAL_ERROR;
        }
        loaded.insert(stream->device);
    }
    enqueue(*stream, [product, workspace = handle->workspace, size = std::min(handle->workspaceBytes, WORKSPACE_USED)] {
        if (workspace != nullptr && onDevice(workspace, size)) {
            std::memset(workspace, 0xff, size);
        }
        multiply(product);
    });
    return CUBLAS_STATUS_SUCCESS;
}

bool roundsToTf32(cublasHandle_t handle, int compute) {
    auto override = tf32Override();
    return !override.empty() ? override == "1"
                             : compute == COMPUTE_32F_FAST_TF32 || (compute == COMPUTE_32F && handle->mathMode == TF32_MATH);
}

const char* name(cublasStatus_t status) {
    switch (status) {
        case CUBLAS_STATUS_SUCCESS: return "CUBLAS_STATUS_SUCCESS";
        case CUBLAS_STATUS_NOT_INITIALIZED: return "CUBLAS_STATUS_NOT_INITIALIZED";
        case CUBLAS_STATUS_ALLOC_FAILED: return "CUBLAS_STATUS_ALLOC_FAILED";
        case CUBLAS_STATUS_INVALID_VALUE: return "CUBLAS_STATUS_INVALID_VALUE";
        case CUBLAS_STATUS_EXECUTION_FAILED: return "CUBLAS_STATUS_EXECUTION_FAILED";
        case CUBLAS_STATUS_INTERNAL_ERROR: return "CUBLAS_STATUS_INTERNAL_ERROR";
        case CUBLAS_STATUS_NOT_SUPPORTED: return "CUBLAS_STATUS_NOT_SUPPORTED";
    }
    return "CUBLAS_STATUS_UNKNOWN";
}

} // namespace

extern "C" {

cublasStatus_t cublasCreate_v2(cublasHandle_t* handle) {
    return call([=] {
        if (handle == nullptr) {
            return CUBLAS_STATUS_INVALID_VALUE;
        }
        if (spoilsCapture()) {
            return CUBLAS_STATUS_ALLOC_FAILED;
        }
        if (!occupy(currentDevice(), HANDLE)) {
            return CUBLAS_STATUS_NOT_INITIALIZED;
        }
        *handle = new cublasContext{currentDevice()};
        handles.insert(*handle);
        return CUBLAS_STATUS_SUCCESS;
    });
}

cublasStatus_t cublasDestroy_v2(cublasHandle_t handle) {
    return with(handle, [=] {
        finishDevice(handle->device);
        vacate(handle->device, HANDLE);
        handles.erase(handle);
        delete handle;
        return CUBLAS_STATUS_SUCCESS;
    });
}

/** Sets the stream and resets the workspace, as the real cuBLAS does. */
cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream) {
    return with(handle, [=] {
        handle->stream = stream;
        handle->workspace = nullptr;
        handle->workspaceBytes = 0;
        return CUBLAS_STATUS_SUCCESS;
    });
}

cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void* workspace, size_t size) {
    return with(handle, [=] {
        if (reinterpret_cast<uintptr_t>(workspace) % 256 != 0 || (size > 0 && !onDevice(workspace, size))) {
            return CUBLAS_STATUS_INVALID_VALUE;
        }
        handle->workspace = static_cast<char*>(workspace);
        handle->workspaceBytes = size;
        return CUBLAS_STATUS_SUCCESS;
    });
}

cublasStatus_t cublasSetMathMode(cublasHandle_t handle, int mode) {
    return with(handle, [=] {
        if (mode != DEFAULT_MATH && mode != PEDANTIC_MATH && mode != TF32_MATH) {
            return CUBLAS_STATUS_INVALID_VALUE;
        }
        handle->mathMode = mode;
        return CUBLAS_STATUS_SUCCESS;
    });
}

cublasStatus_t cublasGetVersion_v2(cublasHandle_t handle, int* version) {
    return with(handle, [=] {
        *version = 130000;
        return CUBLAS_STATUS_SUCCESS;
    });
}

const char* cublasGetStatusName(cublasStatus_t status) { return name(status); }

const char* cublasGetStatusString(cublasStatus_t status) { return name(status); }

cublasStatus_t cublasGemmStridedBatchedEx(cublasHandle_t handle, int operationA, int operationB, int m, int n, int k,
        const void* alpha, const void* a, int typeA, int lda, long long strideA,
        const void* b, int typeB, int ldb, long long strideB,
        const void* beta, void* c, int typeC, int ldc, long long strideC, int batch, int compute, int) {
    return with(handle, [=] {
        if (alpha == nullptr || beta == nullptr) {
            return CUBLAS_STATUS_INVALID_VALUE;
        }
        bool tf32 = typeA == R_32F && roundsToTf32(handle, compute);
        Product product{m, n, k, *static_cast<const float*>(alpha), *static_cast<const float*>(beta),
                        {a, typeA, lda, strideA, operationA == OP_T}, {b, typeB, ldb, strideB, operationB == OP_T},
                        c, ldc, strideC, batch, choose(tf32, m, n, k)};
        auto status = check(product, typeC, compute, operationA, operationB);
        if (status != CUBLAS_STATUS_SUCCESS || m == 0 || n == 0 || batch == 0) {
            return status;
        }
        return submit(handle, product);
    });
}

cublasStatus_t cublasGemmEx(cublasHandle_t handle, int operationA, int operationB, int m, int n, int k,
        const void* alpha, const void* a, int typeA, int lda, const void* b, int typeB, int ldb,
        const void* beta, void* c, int typeC, int ldc, int compute, int algorithm) {
    return cublasGemmStridedBatchedEx(handle, operationA, operationB, m, n, k, alpha, a, typeA, lda, 0, b, typeB, ldb, 0,
                                      beta, c, typeC, ldc, 0, 1, compute, algorithm);
}

} // extern "C"
