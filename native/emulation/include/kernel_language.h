// CUDA's extensions of C++ inside a kernel, as far as this project's kernels use them. A block's threads are fibers of
// one host thread: they run one at a time and switch only where they wait for each other.
#pragma once

#include "runtime_api.h"
#include <cmath>
#include <cstring>
#include <functional>
#include <tuple>
#include <type_traits>

// AddressSanitizer guards the variables of functions that are known in one file alone.
#define __global__ static
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
// One block runs at a time, so one copy serves all of them; the emulation fills it with NaN before each block.
#define __shared__ static

struct uint3 {
    unsigned x, y, z;
};

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

struct alignas(16) float4 {
    float x, y, z, w;
};

inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

extern uint3 threadIdx;
extern uint3 blockIdx;
extern uint3 blockDim;
extern uint3 gridDim;

constexpr int warpSize = 32;

namespace emulation {

// Each of these is a barrier, identified by its `line`.
void waitForBlock(int line);
// Exchanges values among all 32 lanes of the warp: each gives one and receives that of lane `source`.
uint64_t exchange(unsigned mask, uint64_t value, int source, int line);
unsigned ballot(unsigned mask, bool vote, int line);
[[noreturn]] void trap(int line);
// A GPU refuses an access of several bytes at an address that is not a multiple of their number.
[[noreturn]] void refuseMisaligned(uintptr_t beyond, int bytes);

inline int lane() { return (threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) % warpSize; }

inline void requireAligned(const void* address, int bytes) {
    if (auto beyond = reinterpret_cast<uintptr_t>(address) % bytes; beyond != 0) {
        refuseMisaligned(beyond, bytes);
    }
}

cudaError_t launchKernel(const char* name, const void* code, cudaStream_t stream, dim3 grid, dim3 block,
                         std::function<void()> body);

/** Queues a launch. The arguments are converted to the kernel's parameter types and copied at once. */
template <class... P, class... A>
cudaError_t launch(const char* name, cudaStream_t stream, dim3 grid, dim3 block, void (*kernel)(P...), A... arguments) {
    std::tuple<std::decay_t<P>...> values(arguments...);
    return launchKernel(name, reinterpret_cast<const void*>(kernel), stream, grid, block,
                        [=] { std::apply(kernel, values); });
}

template <class T>
T exchange(unsigned mask, T value, int source, int line) {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(uint64_t));
    uint64_t given = 0;
    std::memcpy(&given, &value, sizeof(T));
    uint64_t taken = exchange(mask, given, source, line);
    std::memcpy(&value, &taken, sizeof(T));
    return value;
}

} // namespace emulation

inline void __syncthreads(int line = __builtin_LINE()) { emulation::waitForBlock(line); }
inline void __syncwarp(unsigned mask = 0xffffffffu, int line = __builtin_LINE()) { emulation::ballot(mask, true, line); }
inline void __trap(int line = __builtin_LINE()) { emulation::trap(line); }

inline unsigned __ballot_sync(unsigned mask, bool vote, int line = __builtin_LINE()) {
    return emulation::ballot(mask, vote, line);
}
inline bool __any_sync(unsigned mask, bool vote, int line = __builtin_LINE()) {
    return emulation::ballot(mask, vote, line) != 0;
}
template <class T>
T __shfl_sync(unsigned mask, T value, int source, int line = __builtin_LINE()) {
    return emulation::exchange<T>(mask, value, source & 31, line);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int other, int line = __builtin_LINE()) {
    return emulation::exchange<T>(mask, value, emulation::lane() ^ other, line);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int line = __builtin_LINE()) {
    int source = emulation::lane() + static_cast<int>(delta);
    return emulation::exchange<T>(mask, value, source < 32 ? source : emulation::lane(), line);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int line = __builtin_LINE()) {
    int source = emulation::lane() - static_cast<int>(delta);
    return emulation::exchange<T>(mask, value, source >= 0 ? source : emulation::lane(), line);
}

/** One hardware access. */
template <int BYTES>
void loadWhole(void* pack, const void* from) {
    emulation::requireAligned(from, BYTES);
    std::memcpy(pack, from, BYTES);
}
template <int BYTES>
void storeWhole(void* to, const void* pack) {
    emulation::requireAligned(to, BYTES);
    std::memcpy(to, pack, BYTES);
}

/** Adds atomically: no other thread runs between the read and the write. */
template <class T>
T atomicAdd(T* at, T value) {
    T before = *at;
    *at = before + value;
    return before;
}

template <class T>
T __ldg(const T* at) {
    return *at;
}

inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
inline int __ffs(int bits) { return __builtin_ffs(bits); }

inline unsigned __float_as_uint(float value) {
    unsigned bits;
    std::memcpy(&bits, &value, 4);
    return bits;
}
inline float __uint_as_float(unsigned bits) {
    float value;
    std::memcpy(&value, &bits, 4);
    return value;
}
