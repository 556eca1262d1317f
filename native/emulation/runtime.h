// What the parts of the emulated runtime share, and what the emulated cuBLAS asks of it. One lock guards all of it: every
// call of the API takes it, and queued work runs under it.
#pragma once

#include "include/runtime_api.h"
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

/** A queue that stands still until somebody synchronises with it. */
struct CUstream_st {
    int device = 0;
    std::deque<std::function<void()>> queue;
    cudaStreamCaptureStatus capture = cudaStreamCaptureStatusNone;
    cudaStreamCaptureMode captureMode = cudaStreamCaptureModeThreadLocal;
    std::thread::id captor;
    std::vector<std::function<void()>> recorded;
};

namespace emulation {

extern std::recursive_mutex lock;

/** The body of an API function: takes the lock, and remembers what it returns if that is not success. */
cudaError_t call(const std::function<cudaError_t()>& body);

/** A wrong kernel or access: told on stderr, and returned by every call from here on, as a GPU would. */
void fault(cudaError_t error, const std::string& what);

/** Forgets a fault, which no GPU does; for tests of faults. */
void forgetFault();

/** Whether this thread records a stream: then the recording is spoiled, and the caller's call is refused. */
bool spoilsCapture();

int currentDevice();
bool known(cudaStream_t stream);

/** The stream behind a handle. Null is the default stream, which may not be used beside a recording. */
cudaError_t find(cudaStream_t handle, CUstream_st*& stream);

/** Work of a stream: queued, or recorded. */
void enqueue(CUstream_st& stream, std::function<void()> work);

/** Does all that waits in a stream, or in all streams of a device. */
void finish(CUstream_st& stream);
void finishDevice(int device);

/** Whether a range lies within one live allocation on a device. */
bool onDevice(const void* address, size_t bytes);

} // namespace emulation
