// The functions of cuBLAS that this project calls, with their rules for arguments. The workspace is filled with NaN by every
// product, as it belongs to cuBLAS.
#include "products.h"
#include <set>

struct cublasContext {
    int device;
    cudaStream_t stream = nullptr;
    char* workspace = nullptr;
    size_t workspaceBytes = 0;
    int mathMode = 0;
};

extern "C" {

typedef cublasContext* cublasHandle_t;

} // extern "C"

using namespace emulation;

namespace {

constexpr int OP_N = 0, OP_T = 1;
constexpr int DEFAULT_MATH = 0, PEDANTIC_MATH = 2, TF32_MATH = 3;

std::set<cublasContext*> handles;

cublasStatus_t with(cublasHandle_t handle, const std::function<cublasStatus_t()>& body) {
    return guarded([&] { return handles.count(handle) == 0 ? CUBLAS_STATUS_NOT_INITIALIZED : body(); });
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
    return guarded([=] {
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
        bool operations = (operationA == OP_N || operationA == OP_T) && (operationB == OP_N || operationB == OP_T);
        if (!operations || alpha == nullptr || beta == nullptr) {
            return CUBLAS_STATUS_INVALID_VALUE;
        }
        bool asked = compute == COMPUTE_32F_FAST_TF32 || (compute == COMPUTE_32F && handle->mathMode == TF32_MATH);
        bool tf32 = typeA == R_32F && roundsToTf32(asked);
        Product product{m, n, k, *static_cast<const float*>(alpha), *static_cast<const float*>(beta),
                        {a, typeA, lda, strideA, operationA == OP_T}, {b, typeB, ldb, strideB, operationB == OP_T},
                        nullptr, c, ldc, strideC, batch, choose(tf32, m, n, k, false)};
        auto status = check(product, typeC, compute);
        if (status != CUBLAS_STATUS_SUCCESS || m == 0 || n == 0 || batch == 0) {
            return status;
        }
        return submit(handle->stream, {handle->workspace, handle->workspaceBytes}, product);
    });
}

cublasStatus_t cublasGemmEx(cublasHandle_t handle, int operationA, int operationB, int m, int n, int k,
        const void* alpha, const void* a, int typeA, int lda, const void* b, int typeB, int ldb,
        const void* beta, void* c, int typeC, int ldc, int compute, int algorithm) {
    return cublasGemmStridedBatchedEx(handle, operationA, operationB, m, n, k, alpha, a, typeA, lda, 0, b, typeB, ldb, 0,
                                      beta, c, typeC, ldc, 0, 1, compute, algorithm);
}

} // extern "C"
