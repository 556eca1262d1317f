// Tests of the strictness of the emulation: each makes a mistake that a GPU might hide.
#include "block.h"
#include "check.h"
#include "runtime.h"
#include <cuda_bf16.h>
#include <cuda_runtime.h>
#include <cstring>
#include <set>
#include <vector>

using namespace emulation;

namespace {

template <class... P, class... A>
cudaError_t start(cudaStream_t stream, dim3 grid, dim3 block, void (*kernel)(P...), A... arguments) {
    return launch("kernel", stream, grid, block, kernel, arguments...);
}

template <class T>
T* allocate(size_t count) {
    void* pointer;
    expectEqual(cudaMalloc(&pointer, count * sizeof(T)), cudaSuccess, "cudaMalloc");
    return static_cast<T*>(pointer);
}

cudaStream_t newStream() {
    cudaStream_t stream;
    expectEqual(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess, "cudaStreamCreateWithFlags");
    return stream;
}

template <bool barrier>
void reverse(int* to, const int* from) {
    __shared__ int turned[256];
    turned[255 - threadIdx.x] = from[threadIdx.x];
    if (barrier) {
        __syncthreads();
    }
    to[threadIdx.x] = turned[threadIdx.x];
}

void divergent() {
    if (threadIdx.x != 7) {
        __syncthreads();
    }
}

void twoBarriers() {
    if (threadIdx.x < 32) {
        __syncthreads();
    } else {
        __syncthreads();
    }
}

void loneShuffle(int* to) {
    if (threadIdx.x != 3) {
        to[0] = __shfl_sync(0xffffffffu, 1, 0);
    }
}

void warps(int* to) {
    int lane = threadIdx.x;
    int sum = lane;
    for (int other = 16; other > 0; other /= 2) {
        sum += __shfl_xor_sync(0xffffffffu, sum, other);
    }
    to[lane] = sum;
    to[32 + lane] = __shfl_down_sync(0xffffffffu, lane, 5);
    to[64 + lane] = __shfl_up_sync(0xffffffffu, lane, 5);
    to[96 + lane] = static_cast<int>(__ballot_sync(0xffffffffu, lane % 2 == 0));
}

void count(int* counter) { atomicAdd(counter, 1); }

void addFloats(float* sum) { atomicAdd(sum, 1.0f / (1 + threadIdx.x)); }

void neverLaunched() {}

void readShared(int* to) {
    __shared__ int values[32];
    to[threadIdx.x] = values[threadIdx.x];
    values[threadIdx.x] = 5; // not visible to the next block
}

void overrunShared(int* to) {
    __shared__ int values[30];
    values[threadIdx.x] = 1;
    __syncthreads();
    to[threadIdx.x] = values[threadIdx.x / 2];
}

void touch(float* at) { *at = 1; }

void copyFour(float* to, const float* from) {
    float four[4];
    loadWhole<16>(four, from);
    storeWhole<16>(to, four);
}

/** Results of a kernel of one block of 256 threads under several seeds. */
std::set<std::vector<int>> results(void (*kernel)(int*, const int*)) {
    std::vector<int> host(256), got(256);
    for (int i = 0; i < 256; i++) {
        host[i] = i;
    }
    auto stream = newStream();
    int *to = allocate<int>(256), *from = allocate<int>(256);
    cudaMemcpyAsync(from, host.data(), 1024, cudaMemcpyHostToDevice, stream);
    std::set<std::vector<int>> results;
    for (int seed = 1; seed <= 5; seed++) {
        setSeed(seed);
        start(stream, 1, 256, kernel, to, from);
        cudaMemcpyAsync(got.data(), to, 1024, cudaMemcpyDeviceToHost, stream);
        cudaStreamSynchronize(stream);
        results.insert(got);
    }
    cudaFree(to);
    cudaFree(from);
    cudaStreamDestroy(stream);
    return results;
}

void threadsTakeTurns() {
    auto right = results(reverse<true>);
    expectEqual(right.size(), 1u, "results with a barrier");
    expectEqual((*right.begin())[0], 255, "a reversed row");
    expect(results(reverse<false>).size() > 1, "a missing barrier shows");

    auto stream = newStream();
    std::vector<int> got(128);
    int* to = allocate<int>(128);
    start(stream, 1, 32, warps, to);
    cudaMemcpyAsync(got.data(), to, 512, cudaMemcpyDeviceToHost, stream);
    cudaStreamSynchronize(stream);
    for (int lane = 0; lane < 32; lane++) {
        expectEqual(got[lane], 496, "sum of a warp");
        expectEqual(got[32 + lane], lane + 5 < 32 ? lane + 5 : lane, "shuffle down");
        expectEqual(got[64 + lane], lane >= 5 ? lane - 5 : lane, "shuffle up");
        expectEqual(got[96 + lane], 0x55555555, "ballot");
    }
    start(stream, 2, 32, readShared, to);
    cudaMemcpyAsync(got.data(), to, 128, cudaMemcpyDeviceToHost, stream);
    cudaStreamSynchronize(stream);
    expectEqual(got[31], -1, "shared memory that nobody has written");
    cudaMemsetAsync(to, 0, 4, stream);
    start(stream, dim3(3, 2), dim3(16, 4), count, to);
    cudaMemcpyAsync(got.data(), to, 4, cudaMemcpyDeviceToHost, stream);
    cudaStreamSynchronize(stream);
    expectEqual(got[0], 3 * 2 * 64, "atomic additions of all threads");

    std::set<float> sums;
    for (int seed = 1; seed <= 9; seed++) {
        setSeed(seed);
        float sum;
        cudaMemsetAsync(to, 0, 4, stream);
        start(stream, 1, 256, addFloats, reinterpret_cast<float*>(to));
        cudaMemcpyAsync(&sum, to, 4, cudaMemcpyDeviceToHost, stream);
        cudaStreamSynchronize(stream);
        sums.insert(sum);
    }
    expect(sums.size() > 1, "sums in the order of arrival show");
    cudaFree(to);
    cudaStreamDestroy(stream);
}

template <class... P, class... A>
void expectFault(const char* what, void (*kernel)(P...), A... arguments) {
    auto stream = newStream();
    expectEqual(start(stream, 1, 64, kernel, arguments...), cudaSuccess, what);
    expectEqual(cudaStreamSynchronize(stream), cudaErrorLaunchFailure, what);
    size_t free, total;
    expectEqual(cudaMemGetInfo(&free, &total), cudaErrorLaunchFailure, "calls after a fault");
    forgetFault();
    cudaStreamDestroy(stream);
}

void wrongBarriersAreReported() {
    int* to = allocate<int>(1);
    expectFault("a barrier that one thread does not reach", divergent);
    expectFault("two barriers at once", twoBarriers);
    expectFault("a shuffle that one lane does not reach", loneShuffle, to);
    cudaFree(to);
}

void misalignedAccessesAreReported() {
    float* data = allocate<float>(12);
    expectFault("16 bytes read at once from the middle of others", copyFour, data, data + 5);
    expectFault("16 bytes written at once to the middle of others", copyFour, data + 6, data);
    auto stream = newStream();
    expectEqual(start(stream, 1, 1, copyFour, data, data + 4), cudaSuccess, "aligned addresses");
    expectEqual(cudaStreamSynchronize(stream), cudaSuccess, "aligned addresses");
    cudaStreamDestroy(stream);
    cudaFree(data);
}

void streamsWaitForNobody() {
    auto stream = newStream(), other = newStream();
    int* data = allocate<int>(4);
    int host[4] = {1, 2, 3, 4}, got[4] = {}, first[4] = {};
    cudaMemcpyAsync(first, data, 16, cudaMemcpyDeviceToHost, stream);
    cudaMemcpyAsync(data, host, 16, cudaMemcpyHostToDevice, stream);
    host[0] = 7; // pageable: the copy has taken the old content
    cudaMemcpyAsync(got, data, 16, cudaMemcpyDeviceToHost, stream);
    expectEqual(got[0], -1, "a destination whose copy has not run");
    expectEqual(cudaStreamQuery(stream), cudaErrorNotReady, "a stream with work");
    cudaStreamSynchronize(stream);
    expectEqual(cudaStreamQuery(stream), cudaSuccess, "a stream without work");
    expectEqual(got[0], 1, "what was copied");
    expectEqual(first[0], -1, "new device memory");

    void* pinned;
    cudaHostAlloc(&pinned, 16, 0);
    std::memcpy(pinned, host, 16);
    cudaMemcpyAsync(data, pinned, 16, cudaMemcpyHostToDevice, stream);
    static_cast<int*>(pinned)[0] = 9; // too early: the copy has not run
    cudaEvent_t event;
    cudaEventCreateWithFlags(&event, cudaEventDefault);
    expectEqual(cudaEventRecord(event, stream), cudaSuccess, "cudaEventRecord");
    cudaStreamWaitEvent(other, event, 0);
    cudaMemcpyAsync(got, data, 16, cudaMemcpyDeviceToHost, other);
    cudaStreamSynchronize(other);
    expectEqual(got[0], 9, "pinned memory is read when the copy runs, and the other stream waited for it");
    float milliseconds;
    expectEqual(cudaEventElapsedTime(&milliseconds, event, event), cudaSuccess, "cudaEventElapsedTime");
    cudaEventDestroy(event);
    expectEqual(cudaEventRecord(event, stream), cudaErrorInvalidResourceHandle, "an event that is gone");
    cudaStreamDestroy(other);
    expectEqual(cudaStreamSynchronize(other), cudaErrorInvalidResourceHandle, "a stream that is gone");
    cudaFreeHost(pinned);
    cudaFree(data);
    cudaStreamDestroy(stream);
}

void recordingsPlayBack() {
    auto stream = newStream();
    int *counter = allocate<int>(1), got;
    cudaMemsetAsync(counter, 0, 4, stream);
    cudaGraph_t graph;
    cudaGraphExec_t executable;
    cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal);
    start(stream, 1, 32, count, counter);
    expectEqual(cudaStreamEndCapture(stream, &graph), cudaSuccess, "cudaStreamEndCapture");
    cudaGraphInstantiate(&executable, graph, 0);
    cudaGraphDestroy(graph);
    for (int i = 0; i < 3; i++) {
        expectEqual(cudaGraphLaunch(executable, stream), cudaSuccess, "cudaGraphLaunch");
    }
    cudaMemcpyAsync(&got, counter, 4, cudaMemcpyDeviceToHost, stream);
    cudaStreamSynchronize(stream);
    expectEqual(got, 96, "three replays, and nothing at the recording");
    cudaGraphExecDestroy(executable);

    void* pointer;
    cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal);
    expectEqual(cudaMalloc(&pointer, 4), cudaErrorStreamCaptureUnsupported, "cudaMalloc while recording");
    expectEqual(start(stream, 1, 32, count, counter), cudaErrorStreamCaptureInvalidated, "a launch after that");
    expectEqual(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureInvalidated, "the end of a spoilt recording");
    expect(graph == nullptr, "no graph of a spoilt recording");
    cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal);
    expectEqual(cudaStreamSynchronize(stream), cudaErrorStreamCaptureUnsupported, "waiting while recording");
    cudaStreamEndCapture(stream, &graph);
    cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal);
    expectEqual(start(nullptr, 1, 32, count, counter), cudaErrorStreamCaptureImplicit, "the default stream while recording");
    cudaStreamEndCapture(stream, &graph);
    expectEqual(cudaStreamSynchronize(stream), cudaSuccess, "the stream works as before");
    cudaFree(counter);
    cudaStreamDestroy(stream);
}

void limitsHold() {
    auto stream = newStream();
    float* data = allocate<float>(1);
    expectEqual(start(stream, 1, 1025, touch, data), cudaErrorInvalidConfiguration, "1025 threads");
    expectEqual(start(stream, 0, 32, touch, data), cudaErrorInvalidConfiguration, "no blocks");
    expectEqual(start(stream, dim3(1, 65536), 32, touch, data), cudaErrorInvalidConfiguration, "65536 blocks in y");
    expectEqual(cudaGetLastError(), cudaErrorInvalidConfiguration, "the last error");
    expectEqual(cudaGetLastError(), cudaSuccess, "the last error, once told");
    int host = 0;
    expectEqual(cudaMemcpyAsync(data, &host, 8, cudaMemcpyHostToDevice, stream), cudaErrorInvalidValue, "a copy past the end");
    expectEqual(cudaMemcpyAsync(&host, data, 4, cudaMemcpyHostToDevice, stream), cudaErrorInvalidValue, "a copy the wrong way");
    void* pointer;
    size_t free, total;
    cudaMemGetInfo(&free, &total);
    setenv("LMDEBUGGER_EMULATED_MEMORY", std::to_string(total - free + 1000).c_str(), 1);
    expectEqual(cudaMalloc(&pointer, 1001), cudaErrorMemoryAllocation, "more memory than there is");
    expectEqual(cudaMalloc(&pointer, 1000), cudaSuccess, "just what there is");
    cudaMemGetInfo(&free, &total);
    expectEqual(free, 0u, "free bytes");
    expectEqual(start(stream, 1, 32, neverLaunched), cudaErrorMemoryAllocation, "a kernel whose code does not fit");
    expectEqual(start(stream, 1, 32, count, reinterpret_cast<int*>(data)), cudaSuccess, "one that is loaded");
    cudaFree(pointer);
    unsetenv("LMDEBUGGER_EMULATED_MEMORY");
    setenv("LMDEBUGGER_EMULATED_DEVICES", "2", 1);
    expectEqual(cudaSetDevice(2), cudaErrorInvalidDevice, "the third of two devices");
    cudaSetDevice(1);
    expectEqual(start(stream, 1, 32, touch, data), cudaErrorInvalidResourceHandle, "a stream of another device");
    cudaSetDevice(0);
    setenv("LMDEBUGGER_EMULATED_CAPABILITIES", "75", 1);
    expectEqual(start(stream, 1, 32, touch, data), cudaErrorNoKernelImageForDevice, "a card older than the kernels");
    unsetenv("LMDEBUGGER_EMULATED_CAPABILITIES");
    unsetenv("LMDEBUGGER_EMULATED_DEVICES");
#ifndef __SANITIZE_ADDRESS__
    start(stream, 1, 1, touch, data + 1);
    cudaFree(data);
    expectEqual(cudaStreamSynchronize(stream), cudaErrorIllegalAddress, "a write past the end shows when memory is freed");
    forgetFault();
#else
    cudaFree(data);
#endif
    cudaStreamDestroy(stream);
}

void conversionsRound() {
    expectEqual(__bfloat162float(__float2bfloat16(1 + 0x1p-8f)), 1.0f, "bf16, a tie to even");
    expectEqual(__bfloat162float(__float2bfloat16(1 + 3 * 0x1p-8f)), 1 + 0x1p-6f, "bf16, a tie to even, up");
    expect(std::isnan(__bfloat162float(__float2bfloat16(NAN))), "bf16, NaN");
}

/** Both end in a report of AddressSanitizer. */
void overrun() {
    auto stream = newStream();
    start(stream, 1, 1, touch, allocate<float>(3) + 3);
    cudaStreamSynchronize(stream);
}

void sharedOverrun() {
    auto stream = newStream();
    start(stream, 1, 32, overrunShared, allocate<int>(32));
    cudaStreamSynchronize(stream);
}

} // namespace

int main(int count, char** arguments) {
    if (count > 1) {
        std::strcmp(arguments[1], "overrun") == 0 ? overrun() : sharedOverrun();
        return 0;
    }
    threadsTakeTurns();
    wrongBarriersAreReported();
    misalignedAccessesAreReported();
    streamsWaitForNobody();
    recordingsPlayBack();
    limitsHold();
    conversionsRound();
    return finished("emulation");
}
