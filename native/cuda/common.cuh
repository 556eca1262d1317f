// Code shared by all kernels: element types, views of matrices, packs of 16 bytes, sums over a block, and the one way
// to launch. A block has THREADS threads unless its kernel says otherwise.
#pragma once

#include "lmdebugger.h"
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#include <type_traits>

constexpr int THREADS = 256;
constexpr int WARPS = THREADS / 32;
constexpr unsigned ALL = 0xffffffffu; // lanes of a warp

// Queues kernel(...) in a stream that must be named, and returns the status of the launch.
#ifdef __CUDACC__
#define LAUNCH(stream, grid, block, kernel, ...) \
    (kernel<<<grid, block, 0, stream>>>(__VA_ARGS__), static_cast<int32_t>(cudaGetLastError()))
#else
#define LAUNCH(stream, grid, block, kernel, ...) \
    (emulation::launch(#kernel, stream, grid, block, kernel, __VA_ARGS__), static_cast<int32_t>(cudaGetLastError()))
#endif

// A function with shared memory. nvcc would name that of a static function after the path of its file, and the bytes of a
// build would depend on its folder; the emulation guards that of static functions alone.
#ifdef __CUDACC__
#define BLOCK_FUNCTION __device__ inline
#else
#define BLOCK_FUNCTION __device__ inline static
#endif

template <class T>
struct View {
    T* data;
    int64_t stride;

    __device__ T* row(int64_t r) const { return data + r * stride; }
};

template <class T>
View<T> view(const lmdebugger_matrix* m) {
    return m == nullptr ? View<T>{nullptr, 0} : View<T>{reinterpret_cast<T*>(m->address), m->stride};
}

// W neighbouring elements, read or written at once.
template <class T, int W>
struct alignas(sizeof(T) * W) Pack {
    static constexpr int WIDTH = W;
    T at[W];
};

#ifdef __CUDACC__
template <int BYTES> struct Whole;
template <> struct Whole<2> { using Type = unsigned short; };
template <> struct Whole<4> { using Type = unsigned; };
template <> struct Whole<8> { using Type = uint2; };
template <> struct Whole<16> { using Type = uint4; };

// One hardware access at an aligned address; nvcc would split some plain copies into several.
template <int BYTES>
__device__ void loadWhole(void* pack, const void* from) {
    using Type = typename Whole<BYTES>::Type;
    *static_cast<Type*>(pack) = *static_cast<const Type*>(from);
}

template <int BYTES>
__device__ void storeWhole(void* to, const void* pack) {
    using Type = typename Whole<BYTES>::Type;
    __stwb(static_cast<Type*>(to), *static_cast<const Type*>(pack));
}
#endif

template <int W, class T>
__device__ Pack<T, W> load(const T* from) {
    Pack<T, W> pack;
    loadWhole<sizeof(pack)>(&pack, from);
    return pack;
}

template <int W, class T>
__device__ void store(T* to, const Pack<T, W>& pack) {
    storeWhole<sizeof(pack)>(to, &pack);
}

// Calls f(pack, column) for a row in packs of W elements, and of one at its end. A thread reads several packs before it
// uses the first, so that it waits for memory once.
template <int W, class T, class F>
__device__ void eachPack(const T* row, int columns, F f) {
    constexpr int AHEAD = 4, STEP = THREADS * W;
    int whole = columns / W * W;
    int c = threadIdx.x * W;
    for (; c < whole - (AHEAD - 1) * STEP; c += AHEAD * STEP) {
        Pack<T, W> packs[AHEAD];
        for (int i = 0; i < AHEAD; i++) {
            packs[i] = load<W>(row + c + i * STEP);
        }
        for (int i = 0; i < AHEAD; i++) {
            f(packs[i], c + i * STEP);
        }
    }
    for (; c < whole; c += STEP) {
        f(load<W>(row + c), c);
    }
    for (c = whole + threadIdx.x; c < columns; c += THREADS) {
        f(load<1>(row + c), c);
    }
}

__device__ inline float number(float value) { return value; }
__device__ inline float number(__nv_bfloat16 value) { return __bfloat162float(value); }
__device__ inline float number(__half value) { return __half2float(value); }

template <class T>
__device__ T rounded(float value) {
    if constexpr (std::is_same_v<T, float>) {
        return value;
    } else {
        return __float2bfloat16(value);
    }
}

// Returns the nearest number with ten bits of mantissa, as TF32 has; of two, that with the larger magnitude.
__device__ inline float tf32(float value) {
    return fabsf(value) < INFINITY ? __uint_as_float((__float_as_uint(value) + 0x1000) & ~0x1fffu) : value;
}

// How a number is stored: rounded to its type, and to TF32 before, if asked for.
template <class T, bool TF32 = false>
struct Stored {
    using Type = T;

    __device__ static T of(float value) { return rounded<T>(TF32 ? tf32(value) : value); }
};

template <class T>
__device__ T warpSum(T value) {
    for (int other = 16; other > 0; other /= 2) {
        value += __shfl_xor_sync(ALL, value, other);
    }
    return value;
}

// Returns the sum over all THREADS threads, in a fixed order, to every thread.
template <class T>
BLOCK_FUNCTION T blockSum(T value) {
    __shared__ T sums[WARPS];
    value = warpSum(value);
    __syncthreads(); // until the sums of the previous call have been read
    if (threadIdx.x % 32 == 0) {
        sums[threadIdx.x / 32] = value;
    }
    __syncthreads();
    T sum = sums[0];
    for (int w = 1; w < WARPS; w++) {
        sum += sums[w];
    }
    return sum;
}

// Returns the largest of all THREADS threads' values to every thread. NaN is ignored.
BLOCK_FUNCTION float blockMax(float value) {
    __shared__ float maxima[WARPS];
    for (int other = 16; other > 0; other /= 2) {
        value = fmaxf(value, __shfl_xor_sync(ALL, value, other));
    }
    __syncthreads(); // until the maxima of the previous call have been read
    if (threadIdx.x % 32 == 0) {
        maxima[threadIdx.x / 32] = value;
    }
    __syncthreads();
    float max = maxima[0];
    for (int w = 1; w < WARPS; w++) {
        max = fmaxf(max, maxima[w]);
    }
    return max;
}

// Returns whether rows begin where packs of four elements can be read.
inline bool aligned(const lmdebugger_matrix* m) {
    return (m->stride % 4 == 0 || m->rows == 1) && m->address % 16 == 0;
}

// Returns whether rows can be read in packs of four elements throughout.
inline bool fours(const lmdebugger_matrix* m) {
    return m->columns % 4 == 0 && aligned(m);
}

// Calls f with the width of the packs that eachPack can read of each row of these matrices; those that are null have none.
template <class F, class... M>
int32_t byAlignment(F f, const M*... matrices) {
    return ((matrices == nullptr || aligned(matrices)) && ...) ? f(std::integral_constant<int, 4>())
                                                                : f(std::integral_constant<int, 1>());
}

// Calls f with the pack's width as a constant.
template <class F, class... M>
int32_t byWidth(F f, const M*... matrices) {
    return (fours(matrices) && ...) ? f(std::integral_constant<int, 4>()) : f(std::integral_constant<int, 1>());
}

// Calls f with an object of the element type; any other type is refused.
template <class F>
int32_t byType(int32_t type, F f) {
    switch (type) {
        case LMDEBUGGER_F32: return f(float());
        case LMDEBUGGER_BF16: return f(__nv_bfloat16());
        default: return cudaErrorInvalidValue;
    }
}

// Calls f with an object of how numbers are stored; TF32 is one of F32.
template <class F>
int32_t byStored(int32_t type, int32_t tf32, F f) {
    return byType(type, [&](auto element) {
        using T = decltype(element);
        if constexpr (std::is_same_v<T, float>) {
            return tf32 ? f(Stored<float, true>()) : f(Stored<float>());
        } else {
            return f(Stored<T>());
        }
    });
}

inline unsigned parts(int64_t count, int64_t size, int64_t limit) {
    int64_t parts = (count + size - 1) / size;
    return static_cast<unsigned>(parts < 1 ? 1 : parts < limit ? parts : limit);
}

// Returns a grid with a block for each row and, in y, for as many columns as its threads process at once.
inline dim3 rowsByColumns(const lmdebugger_matrix* m, int width) {
    return dim3(static_cast<unsigned>(m->rows), parts(m->columns, static_cast<int64_t>(THREADS) * width, 65535));
}
