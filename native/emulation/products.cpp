#include "products.h"
#include "include/kernel_language.h"
#include "settings.h"
#include <algorithm>
#include <cstring>
#include <random>
#include <set>

namespace emulation {

namespace {

constexpr size_t WORKSPACE_USED = 4 << 20;
constexpr size_t CODE = 8 << 20; // bytes of all kernels, which the first product loads

std::set<int> loaded; // devices that have the kernels

size_t bytes(int type) { return type == R_32F ? 4 : 2; }

/** Rounds to ten bits of mantissa: to nearest with ties away from zero, or by cutting off the others. */
float round(float value, Rounding rounding) {
    if (rounding == Rounding::NONE || !std::isfinite(value)) {
        return value;
    }
    return __uint_as_float((__float_as_uint(value) + (rounding == Rounding::NEAREST ? 0x1000 : 0)) & ~0x1fffu);
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
            if (p.bias != nullptr) {
                to[i] += p.bias[i];
            }
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
    if (!onDevice(p.a.data, bytesA) || !onDevice(p.b.data, bytesB) || !onDevice(p.c, bytesC)
        || (p.bias != nullptr && !onDevice(p.bias, p.m * sizeof(float)))) {
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

} // namespace

cublasStatus_t guarded(const std::function<cublasStatus_t()>& body) {
    std::lock_guard guard(lock);
    auto status = body();
    return status == CUBLAS_STATUS_SUCCESS && call([] { return cudaSuccess; }) != cudaSuccess
        ? CUBLAS_STATUS_EXECUTION_FAILED : status;
}

bool roundsToTf32(bool asked) {
    auto override = tf32Override();
    return override.empty() ? asked : override == "1";
}

Kernel choose(bool tf32, int m, int n, int k, bool bias) {
    auto seed = shapes();
    if (seed.empty()) {
        return {tf32 ? Rounding::NEAREST : Rounding::NONE, 1};
    }
    std::vector<int> all{std::stoi(seed), m, n, k};
    if (bias) {
        all.push_back(1);
    }
    std::seed_seq numbers(all.begin(), all.end());
    std::mt19937 random(numbers);
    auto rounding = random() % 2 == 0 ? Rounding::NEAREST : Rounding::CUT;
    return {!tf32 || n == 1 ? Rounding::NONE : rounding, 1 + static_cast<int>(random() % 4)};
}

cublasStatus_t check(const Product& p, int typeC, int compute) {
    if (p.m < 0 || p.n < 0 || p.k < 0 || p.batch < 0) {
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

cublasStatus_t submit(cudaStream_t handle, const Workspace& workspace, const Product& product) {
    CUstream_st* stream;
    if (find(handle, stream) != cudaSuccess || stream->device != currentDevice()) {
        return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    // Without a workspace of the caller's, cuBLAS allocates one, which is illegal during a capture.
    if (workspace.memory == nullptr && stream->capture != cudaStreamCaptureStatusNone) {
        spoilsCapture();
        return CUBLAS_STATUS_ALLOC_FAILED;
    }
    if (loaded.count(stream->device) == 0) {
        if (!occupy(stream->device, CODE)) {
            return CUBLAS_STATUS_INTERNAL_ERROR;
        }
        loaded.insert(stream->device);
    }
    enqueue(*stream, [product, memory = workspace.memory, size = std::min(workspace.bytes, WORKSPACE_USED)] {
        if (memory != nullptr && onDevice(memory, size)) {
            std::memset(memory, 0xff, size);
        }
        multiply(product);
    });
    return CUBLAS_STATUS_SUCCESS;
}

} // namespace emulation
