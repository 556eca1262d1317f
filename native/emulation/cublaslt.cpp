// The functions of cuBLASLt that this project calls: products with a bias. The kernels that its heuristics choose need the
// alignment that the caller promises, and fail without it.
#include "products.h"
#include "settings.h"
#include <algorithm>
#include <cstring>
#include <set>

struct cublasLtContext {
    int device;
};

using namespace emulation;

namespace {

constexpr int EPILOGUE_DEFAULT = 1, EPILOGUE_BIAS = 4;
constexpr int DESC_EPILOGUE = 7, DESC_BIAS_POINTER = 8;
constexpr int PREF_WORKSPACE = 1, PREF_ALIGNMENT_A = 5, PREF_ALIGNMENT_D = 8;

/** What the real library keeps in 32, 8, 8 and 8 longs of the caller's. */
struct Operation {
    int compute, scale, epilogue;
    const float* bias;
};

struct Layout {
    int type;
    uint64_t rows, columns;
    int64_t ld;
};

struct Preference {
    uint64_t workspace;
    uint32_t alignments[4]; // of A, B, C and D
};

struct Algorithm {
    uint64_t workspace;
    uint32_t alignments[4];
    int m, n, k;
};

struct Result {
    union {
        Algorithm algorithm;
        uint64_t data[8];
    };
    size_t workspace;
    cublasStatus_t state;
    float waves;
    int reserved[4];
};

static_assert(sizeof(Operation) <= 32 * 8 && sizeof(Layout) <= 8 * 8 && sizeof(Preference) <= 8 * 8 && sizeof(Algorithm) <= 8 * 8);
static_assert(sizeof(Result) == 96); // of the real library's header

std::set<cublasLtContext*> handles;

cublasStatus_t with(cublasLtContext* handle, const std::function<cublasStatus_t()>& body) {
    return guarded([&] { return handles.count(handle) == 0 ? CUBLAS_STATUS_NOT_INITIALIZED : body(); });
}

template <class T>
cublasStatus_t initialise(T* descriptor, size_t size, size_t expected, const T& value) {
    if (size < expected) {
        return CUBLAS_STATUS_ALLOC_FAILED;
    }
    *descriptor = value;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t set(void* attribute, size_t size, const void* value, size_t given) {
    if (given != size || value == nullptr) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    std::memcpy(attribute, value, size);
    return CUBLAS_STATUS_SUCCESS;
}

Product product(const Operation& operation, const Layout& a, const Layout& b, const Layout& c) {
    auto size = [](uint64_t number) { return static_cast<int>(number); };
    bool asked = operation.compute == COMPUTE_32F_FAST_TF32;
    bool tf32 = a.type == R_32F && roundsToTf32(asked);
    Product product{size(c.rows), size(c.columns), size(a.columns), 1, 0, {nullptr, a.type, size(a.ld), 0, false},
                    {nullptr, b.type, size(b.ld), 0, false}, operation.bias, nullptr, size(c.ld), 0, 1, {}};
    product.kernel = choose(tf32, product.m, product.n, product.k, operation.bias != nullptr);
    return product;
}

/** Layouts that belong together, and types that there are kernels for. */
cublasStatus_t check(const Operation& operation, const Layout& a, const Layout& b, const Layout& c, const Layout& d) {
    bool fit = a.rows == c.rows && b.columns == c.columns && a.columns == b.rows && c.rows == d.rows && c.columns == d.columns;
    bool bias = operation.epilogue == EPILOGUE_BIAS ? operation.bias != nullptr : operation.epilogue == EPILOGUE_DEFAULT;
    if (!fit || !bias || c.ld != d.ld || c.type != d.type || operation.scale != R_32F || c.rows == 0 || c.columns == 0 || a.columns == 0) {
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    auto p = product(operation, a, b, c);
    p.a.data = p.b.data = p.c = &p; // which are checked with the call
    return emulation::check(p, c.type, operation.compute);
}

bool aligned(const void* pointer, uint32_t alignment) { return reinterpret_cast<uintptr_t>(pointer) % alignment == 0; }

} // namespace

extern "C" {

cublasStatus_t cublasLtCreate(cublasLtContext** handle) {
    return guarded([=] {
        if (handle == nullptr) {
            return CUBLAS_STATUS_INVALID_VALUE;
        }
        if (!occupy(currentDevice(), HANDLE)) {
            return CUBLAS_STATUS_NOT_INITIALIZED;
        }
        *handle = new cublasLtContext{currentDevice()};
        handles.insert(*handle);
        return CUBLAS_STATUS_SUCCESS;
    });
}

cublasStatus_t cublasLtDestroy(cublasLtContext* handle) {
    return with(handle, [=] {
        finishDevice(handle->device);
        vacate(handle->device, HANDLE);
        handles.erase(handle);
        delete handle;
        return CUBLAS_STATUS_SUCCESS;
    });
}

cublasStatus_t cublasLtMatmulDescInit_internal(Operation* operation, size_t size, int compute, int scale) {
    return initialise(operation, size, 32 * 8, {compute, scale, EPILOGUE_DEFAULT, nullptr});
}

cublasStatus_t cublasLtMatmulDescSetAttribute(Operation* operation, int name, const void* value, size_t size) {
    switch (name) {
        case DESC_EPILOGUE: return set(&operation->epilogue, 4, value, size);
        case DESC_BIAS_POINTER: return set(&operation->bias, 8, value, size);
    }
    return CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatrixLayoutInit_internal(Layout* layout, size_t size, int type, uint64_t rows, uint64_t columns, int64_t ld) {
    return initialise(layout, size, 8 * 8, {type, rows, columns, ld});
}

cublasStatus_t cublasLtMatmulPreferenceInit_internal(Preference* preference, size_t size) {
    return initialise(preference, size, 8 * 8, {0, {256, 256, 256, 256}});
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(Preference* preference, int name, const void* value, size_t size) {
    if (name == PREF_WORKSPACE) {
        return set(&preference->workspace, 8, value, size);
    }
    return name < PREF_ALIGNMENT_A || name > PREF_ALIGNMENT_D ? CUBLAS_STATUS_INVALID_VALUE
        : set(&preference->alignments[name - PREF_ALIGNMENT_A], 4, value, size);
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtContext* handle, const Operation* operation, const Layout* a, const Layout* b,
        const Layout* c, const Layout* d, const Preference* preference, int requested, Result* results, int* count) {
    return with(handle, [=] {
        if (requested < 1) {
            return CUBLAS_STATUS_INVALID_VALUE;
        }
        *count = 0;
        auto status = check(*operation, *a, *b, *c, *d);
        if (status != CUBLAS_STATUS_SUCCESS || (operation->epilogue == EPILOGUE_BIAS && !epilogues())) {
            return CUBLAS_STATUS_NOT_SUPPORTED;
        }
        *results = {};
        results->algorithm = {preference->workspace, {}, static_cast<int>(c->rows), static_cast<int>(c->columns), static_cast<int>(a->columns)};
        std::copy_n(preference->alignments, 4, results->algorithm.alignments);
        results->workspace = preference->workspace;
        *count = 1;
        return CUBLAS_STATUS_SUCCESS;
    });
}

cublasStatus_t cublasLtMatmul(cublasLtContext* handle, const Operation* operation, const float* alpha, const void* a, const Layout* layoutA,
        const void* b, const Layout* layoutB, const float* beta, const void* c, const Layout* layoutC, void* d, const Layout* layoutD,
        const Algorithm* algorithm, void* workspace, size_t workspaceBytes, cudaStream_t stream) {
    return with(handle, [=] {
        auto status = check(*operation, *layoutA, *layoutB, *layoutC, *layoutD);
        if (status != CUBLAS_STATUS_SUCCESS) {
            return status;
        }
        auto p = product(*operation, *layoutA, *layoutB, *layoutC);
        const void* pointers[] = {a, b, c, d};
        bool suits = algorithm->m == p.m && algorithm->n == p.n && algorithm->k == p.k && algorithm->workspace <= workspaceBytes;
        for (int i = 0; i < 4; i++) {
            suits &= pointers[i] != nullptr && aligned(pointers[i], algorithm->alignments[i]);
        }
        if (!suits || c != d) { // of another C there is no need here
            return CUBLAS_STATUS_INVALID_VALUE;
        }
        if (operation->epilogue == EPILOGUE_BIAS && !epilogues()) {
            return CUBLAS_STATUS_NOT_SUPPORTED;
        }
        p.alpha = *alpha;
        p.beta = *beta;
        p.a.data = a;
        p.b.data = b;
        p.c = d;
        return submit(stream, {static_cast<char*>(workspace), workspaceBytes}, p);
    });
}

} // extern "C"
