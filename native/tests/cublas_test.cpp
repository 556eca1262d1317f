// The emulated cuBLAS against double precision, its roundings, and its rules.
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

} // namespace

int main() {
    productsAreRight();
    roundingsAreThoseOfTheArithmetic();
    kernelsDependOnTheShape();
    rulesHold();
    return finished("cublas");
}
