// The emulated cuBLAS and cuBLASLt against double precision, their roundings, and their rules.
#include "check.h"
#include <cuda_bf16.h>
#include <cuda_runtime.h>
#include <set>
#include <vector>

extern "C" {
struct cublasContext;
int cublasCreate_v2(cublasContext** handle);
int cublasDestroy_v2(cublasContext* handle);
int cublasSetStream_v2(cublasContext* handle, cudaStream_t stream);
int cublasSetWorkspace_v2(cublasContext* handle, void* workspace, size_t size);
int cublasGemmEx(cublasContext* handle, int operationA, int operationB, int m, int n, int k, const void* alpha,
                 const void* a, int typeA, int lda, const void* b, int typeB, int ldb, const void* beta, void* c,
                 int typeC, int ldc, int compute, int algorithm);
struct cublasLtContext;
int cublasLtCreate(cublasLtContext** handle);
int cublasLtDestroy(cublasLtContext* handle);
int cublasLtMatmulDescInit_internal(void* operation, size_t size, int compute, int scale);
int cublasLtMatmulDescSetAttribute(void* operation, int name, const void* value, size_t size);
int cublasLtMatrixLayoutInit_internal(void* layout, size_t size, int type, uint64_t rows, uint64_t columns, int64_t ld);
int cublasLtMatmulPreferenceInit_internal(void* preference, size_t size);
int cublasLtMatmulPreferenceSetAttribute(void* preference, int name, const void* value, size_t size);
int cublasLtMatmulAlgoGetHeuristic(cublasLtContext* handle, const void* operation, const void* a, const void* b, const void* c,
                                   const void* d, const void* preference, int requested, void* results, int* count);
int cublasLtMatmul(cublasLtContext* handle, const void* operation, const float* alpha, const void* a, const void* layoutA,
                   const void* b, const void* layoutB, const float* beta, const void* c, const void* layoutC, void* d,
                   const void* layoutD, const void* algorithm, void* workspace, size_t size, cudaStream_t stream);
}

namespace {

constexpr int F32 = 0, BF16 = 14, FP32 = 68, TF32 = 77;
constexpr int SUCCESS = 0, NOT_INITIALIZED = 1, ALLOC_FAILED = 3, INVALID_VALUE = 7, NOT_SUPPORTED = 15;
const float one = 1, zero = 0;

struct Cublas {
    cudaStream_t stream;
    cublasContext* handle;
    void* workspace;

    Cublas() {
        cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
        cublasCreate_v2(&handle);
        cublasSetStream_v2(handle, stream);
        cudaMalloc(&workspace, 4096);
        cublasSetWorkspace_v2(handle, workspace, 4096);
    }

    ~Cublas() {
        cublasDestroy_v2(handle);
        cudaFree(workspace);
        cudaStreamDestroy(stream);
    }

    template <class T>
    T* upload(const std::vector<T>& host) {
        void* pointer;
        cudaMalloc(&pointer, host.size() * sizeof(T));
        cudaMemcpyAsync(pointer, host.data(), host.size() * sizeof(T), cudaMemcpyHostToDevice, stream);
        return static_cast<T*>(pointer);
    }

    float single(int type, const void* a, const void* b, int compute, const float* beta = &zero) {
        float* c = upload(std::vector<float>{NAN});
        expectEqual(cublasGemmEx(handle, 0, 0, 1, 1, 1, &one, a, type, 1, b, type, 1, beta, c, F32, 1, compute, -1),
                    SUCCESS, "cublasGemmEx");
        float got;
        cudaMemcpyAsync(&got, c, 4, cudaMemcpyDeviceToHost, stream);
        cudaStreamSynchronize(stream);
        cudaFree(c);
        return got;
    }
};

void productsAreRight() {
    constexpr int M = 3, N = 4, K = 5, LD = 7; // column-major, with room between the columns
    Cublas cublas;
    std::vector<float> a(LD * K), b(LD * K), got(LD * N);
    for (int i = 0; i < LD * K; i++) {
        a[i] = static_cast<float>(i % 11);
        b[i] = static_cast<float>(i % 7) - 3;
    }
    float *da = cublas.upload(a), *db = cublas.upload(b), *dc = cublas.upload(std::vector<float>(LD * N, 100.0f));
    for (int operations = 0; operations < 4; operations++) {
        bool ta = operations & 1, tb = operations & 2;
        expectEqual(cublasGemmEx(cublas.handle, ta, tb, M, N, K, &one, da, F32, LD, db, F32, LD, &zero, dc, F32, LD, FP32, -1),
                    SUCCESS, "cublasGemmEx");
        cudaMemcpyAsync(got.data(), dc, got.size() * 4, cudaMemcpyDeviceToHost, cublas.stream);
        cudaStreamSynchronize(cublas.stream);
        for (int i = 0; i < M; i++) {
            for (int j = 0; j < N; j++) {
                double sum = 0;
                for (int l = 0; l < K; l++) {
                    sum += (ta ? a[i * LD + l] : a[l * LD + i]) * (tb ? b[l * LD + j] : b[j * LD + l]);
                }
                expectEqual(got[j * LD + i], static_cast<float>(sum), "product");
            }
        }
        expectEqual(got[M], 100.0f, "what lies between the columns");
    }
    cudaFree(da);
    cudaFree(db);
    cudaFree(dc);
}

void roundingsAreThoseOfTheArithmetic() {
    Cublas cublas;
    float* x = cublas.upload(std::vector<float>{1 + 0x1p-20f});
    float* ones = cublas.upload(std::vector<float>{1});
    float* above = cublas.upload(std::vector<float>{1 + 0x1.8p-10f});
    auto* half = cublas.upload(std::vector<__nv_bfloat16>{__float2bfloat16(1 + 0x1p-7f)});
    expectEqual(cublas.single(F32, x, ones, FP32), 1 + 0x1p-20f, "FP32 keeps all bits; C is not read with beta 0");
    expectEqual(cublas.single(F32, x, ones, TF32), 1.0f, "TF32 keeps 10 bits");
    setenv("NVIDIA_TF32_OVERRIDE", "1", 1);
    expectEqual(cublas.single(F32, x, ones, FP32), 1.0f, "the environment makes FP32 TF32");
    setenv("NVIDIA_TF32_OVERRIDE", "0", 1);
    expectEqual(cublas.single(F32, x, ones, TF32), 1 + 0x1p-20f, "the environment makes TF32 FP32");
    unsetenv("NVIDIA_TF32_OVERRIDE");
    expectEqual(cublas.single(F32, above, ones, TF32), 1 + 0x1p-9f, "TF32 rounds to nearest");
    expectEqual(cublas.single(BF16, half, half, FP32), (1 + 0x1p-7f) * (1 + 0x1p-7f), "BF16 operands, FP32 product");
    expect(std::isnan(cublas.single(F32, x, ones, FP32, &one)), "C is read with beta 1");
    for (void* pointer : {static_cast<void*>(x), static_cast<void*>(ones), static_cast<void*>(above), static_cast<void*>(half)}) {
        cudaFree(pointer);
    }
}

/** The product of a row of `k` numbers x with as many ones, beside `rows` - 1 others; all elements are the same. */
float ofShape(Cublas& cublas, int rows, int k, float x, int compute) {
    float* a = cublas.upload(std::vector<float>(k, 1.0f));
    float* b = cublas.upload(std::vector<float>(static_cast<size_t>(k) * rows, x));
    float* c = cublas.upload(std::vector<float>(rows));
    cublasGemmEx(cublas.handle, 0, 0, 1, rows, k, &one, a, F32, 1, b, F32, k, &zero, c, F32, 1, compute, -1);
    std::vector<float> got(rows);
    cudaMemcpyAsync(got.data(), c, got.size() * 4, cudaMemcpyDeviceToHost, cublas.stream);
    cudaStreamSynchronize(cublas.stream);
    for (float* pointer : {a, b, c}) {
        cudaFree(pointer);
    }
    for (float each : got) {
        expectEqual(each, got[0], "rows of one product");
    }
    return got[0];
}

void kernelsDependOnTheShape() {
    Cublas cublas;
    setenv("LMDEBUGGER_EMULATED_SHAPES", "1", 1);
    std::set<float> tf32, sums;
    for (int rows = 2; rows < 30; rows++) {
        float once = ofShape(cublas, rows, 1, 1 + 0x1.8p-10f, TF32);
        expectEqual(ofShape(cublas, rows, 1, 1 + 0x1.8p-10f, TF32), once, "the same shape twice");
        tf32.insert(once);
        sums.insert(ofShape(cublas, rows, 1000, 0.1f, FP32));
    }
    expect(tf32 == std::set<float>{1 + 0x1p-10f, 1 + 0x1p-9f}, "operands are cut, or rounded to nearest");
    expect(sums.size() > 1, "sums have several orders");
    expectEqual(ofShape(cublas, 1, 1, 1 + 0x1p-20f, TF32), 1 + 0x1p-20f, "a single row is not rounded");
    unsetenv("LMDEBUGGER_EMULATED_SHAPES");
    expectEqual(ofShape(cublas, 1, 1, 1 + 0x1p-20f, TF32), 1.0f, "without a seed it is");
}

void rulesHold() {
    Cublas cublas;
    float* x = cublas.upload(std::vector<float>(64));
    auto gemm = [&](int m, int n, int k, const void* a, int lda, int typeA, int ldb, int ldc, int compute) {
        return cublasGemmEx(cublas.handle, 0, 0, m, n, k, &one, a, typeA, lda, x, F32, ldb, &zero, x + 32, F32, ldc, compute, -1);
    };
    expectEqual(gemm(2, 2, 2, x, 1, F32, 2, 2, FP32), INVALID_VALUE, "lda below m");
    expectEqual(gemm(2, 2, 2, x, 2, F32, 1, 2, FP32), INVALID_VALUE, "ldb below k");
    expectEqual(gemm(2, 2, 2, x, 2, F32, 2, 1, FP32), INVALID_VALUE, "ldc below m");
    expectEqual(gemm(2, 2, 0, x, 2, F32, 0, 2, FP32), INVALID_VALUE, "ldb of 0, even where it is not used");
    expectEqual(gemm(-1, 2, 2, x, 2, F32, 2, 2, FP32), INVALID_VALUE, "m below 0");
    expectEqual(gemm(2, 2, 2, nullptr, 2, F32, 2, 2, FP32), INVALID_VALUE, "no A");
    expectEqual(gemm(2, 2, 2, x, 2, BF16, 2, 2, FP32), NOT_SUPPORTED, "operands of two types");
    expectEqual(gemm(2, 2, 2, x, 2, F32, 2, 2, 64), NOT_SUPPORTED, "FP16 arithmetic");
    expectEqual(gemm(0, 2, 2, x, 1, F32, 2, 1, FP32), SUCCESS, "an empty product");
    expectEqual(cublasSetWorkspace_v2(cublas.handle, static_cast<char*>(cublas.workspace) + 16, 64), INVALID_VALUE,
                "a workspace that is not aligned");
    expectEqual(cublasSetStream_v2(nullptr, nullptr), NOT_INITIALIZED, "no handle");
    cublasSetStream_v2(cublas.handle, cublas.stream); // resets the workspace
    cudaStreamBeginCapture(cublas.stream, cudaStreamCaptureModeThreadLocal);
    expectEqual(gemm(2, 2, 2, x, 2, F32, 2, 2, FP32), ALLOC_FAILED, "no workspace while recording");
    cudaGraph_t graph;
    expectEqual(cudaStreamEndCapture(cublas.stream, &graph), cudaErrorStreamCaptureInvalidated, "that recording");
    cudaFree(x);
}

/** C = A B + bias, and C += A B + bias, of a kernel that needs operands aligned to as many bytes as was promised. */
void biasesAreAdded() {
    constexpr int M = 3, N = 4, K = 5, LD = 8, EPILOGUE = 7, BIAS = 8, ALIGNMENT_A = 5, BIAS_EPILOGUE = 4;
    Cublas cublas;
    std::vector<float> a(LD * K), b(LD * N), bias{1, 20, 300}, got(LD * N);
    for (size_t i = 0; i < a.size(); i++) {
        a[i] = static_cast<float>(i % 11);
    }
    for (size_t i = 0; i < b.size(); i++) {
        b[i] = static_cast<float>(i % 7) - 3;
    }
    float *da = cublas.upload(a), *db = cublas.upload(b), *dc = cublas.upload(std::vector<float>(LD * N + 1, 100.0f));
    float* vector = cublas.upload(bias);
    cublasLtContext* handle;
    expectEqual(cublasLtCreate(&handle), SUCCESS, "cublasLtCreate");
    uint64_t operation[32], layoutA[8], layoutB[8], layoutC[8], preference[8], result[12];
    int epilogue = BIAS_EPILOGUE, count = -1;
    uint32_t alignment = 16;
    expectEqual(cublasLtMatmulDescInit_internal(operation, 8, FP32, F32), ALLOC_FAILED, "a descriptor without room");
    expectEqual(cublasLtMatmulDescInit_internal(operation, sizeof operation, FP32, F32), SUCCESS, "an operation");
    expectEqual(cublasLtMatmulDescSetAttribute(operation, EPILOGUE, &epilogue, 8), INVALID_VALUE, "an attribute of another size");
    cublasLtMatmulDescSetAttribute(operation, EPILOGUE, &epilogue, 4);
    cublasLtMatrixLayoutInit_internal(layoutA, sizeof layoutA, F32, M, K, LD);
    cublasLtMatrixLayoutInit_internal(layoutB, sizeof layoutB, F32, K, N, LD);
    cublasLtMatrixLayoutInit_internal(layoutC, sizeof layoutC, F32, M, N, LD);
    cublasLtMatmulPreferenceInit_internal(preference, sizeof preference);
    auto heuristic = [&](const void* b, int requested) {
        return cublasLtMatmulAlgoGetHeuristic(handle, operation, layoutA, b, layoutC, layoutC, preference, requested, result, &count);
    };
    auto matmul = [&](float* to, const float* beta, size_t size) {
        return cublasLtMatmul(handle, operation, &one, da, layoutA, db, layoutB, beta, to, layoutC, to, layoutC, result,
                              cublas.workspace, size, cublas.stream);
    };
    expectEqual(heuristic(layoutB, 1), NOT_SUPPORTED, "no bias");
    cublasLtMatmulDescSetAttribute(operation, BIAS, &vector, 8);
    expectEqual(heuristic(layoutB, 0), INVALID_VALUE, "none is requested");
    expectEqual(heuristic(layoutA, 1), NOT_SUPPORTED, "matrices that do not fit");
    setenv("LMDEBUGGER_EMULATED_EPILOGUES", "none", 1);
    expectEqual(heuristic(layoutB, 1), NOT_SUPPORTED, "a card without such kernels");
    unsetenv("LMDEBUGGER_EMULATED_EPILOGUES");
    expectEqual(count, 0, "kernels that were found");
    for (int operand = 0; operand < 4; operand++) {
        cublasLtMatmulPreferenceSetAttribute(preference, ALIGNMENT_A + operand, &alignment, 4);
    }
    uint64_t most = 4096;
    cublasLtMatmulPreferenceSetAttribute(preference, 1, &most, 8);
    expectEqual(heuristic(layoutB, 1), SUCCESS, "a kernel");
    expectEqual(count, 1, "kernels that were found");
    expectEqual(matmul(dc + 1, &zero, 4096), INVALID_VALUE, "C without its alignment");
    expectEqual(matmul(dc, &zero, 100), INVALID_VALUE, "a workspace that is too small");
    setenv("LMDEBUGGER_EMULATED_EPILOGUES", "none", 1);
    expectEqual(matmul(dc, &zero, 4096), NOT_SUPPORTED, "a kernel that does not run, though it was chosen");
    unsetenv("LMDEBUGGER_EMULATED_EPILOGUES");
    for (int times = 1; times <= 2; times++) {
        expectEqual(matmul(dc, times == 1 ? &zero : &one, 4096), SUCCESS, "cublasLtMatmul");
        cudaMemcpyAsync(got.data(), dc, got.size() * 4, cudaMemcpyDeviceToHost, cublas.stream);
        cudaStreamSynchronize(cublas.stream);
        for (int i = 0; i < M; i++) {
            for (int j = 0; j < N; j++) {
                float sum = bias[i];
                for (int l = 0; l < K; l++) {
                    sum += a[l * LD + i] * b[j * LD + l];
                }
                expectEqual(got[j * LD + i], times * sum, "product and bias");
            }
        }
        expectEqual(got[M], 100.0f, "what lies between the columns");
    }
    cublasLtMatrixLayoutInit_internal(layoutB, sizeof layoutB, F32, K, N - 1, LD);
    cublasLtMatrixLayoutInit_internal(layoutC, sizeof layoutC, F32, M, N - 1, LD);
    expectEqual(matmul(dc, &zero, 4096), INVALID_VALUE, "a kernel for another shape");
    expectEqual(cublasLtDestroy(handle), SUCCESS, "cublasLtDestroy");
    expectEqual(matmul(dc, &zero, 4096), NOT_INITIALIZED, "a handle that was destroyed");
    for (float* pointer : {da, db, dc, vector}) {
        cudaFree(pointer);
    }
}

} // namespace

int main() {
    productsAreRight();
    roundingsAreThoseOfTheArithmetic();
    kernelsDependOnTheShape();
    rulesHold();
    biasesAreAdded();
    return finished("cublas");
}
