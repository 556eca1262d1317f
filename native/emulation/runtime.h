// Declarations shared by the parts of the emulated runtime and the emulated cuBLAS. One lock guards all of it: every
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

/** A queue whose work runs only when a caller synchronises with it. */
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

/** Runs the body of an API function under the lock, and records its status if that is not success. */
cudaError_t call(const std::function<cudaError_t()>& body);

/** Reports a wrong kernel or access on stderr; every later call returns it, as on a GPU. */
void fault(cudaError_t error, const std::string& what);

/** Clears a fault, which is impossible on a GPU; for tests of faults. */
void forgetFault();

/** Returns whether this thread captures a stream: then the capture is invalidated, and the caller's call is refused. */
bool spoilsCapture();

int currentDevice();

/** Takes memory of a device for CUDA's own things, such as the code of a kernel; returns false if there is too little. */
bool occupy(int device, size_t bytes);
void vacate(int device, size_t bytes);

bool known(cudaStream_t stream);

/** Finds the stream of a handle. Null is the default stream, which must not be used during a capture. */
cudaError_t find(cudaStream_t handle, CUstream_st*& stream);

/** Adds work to a stream: queued, or captured. */
void enqueue(CUstream_st& stream, std::function<void()> work);

/** Runs all queued work of a stream, or of all streams of a device. */
void finish(CUstream_st& stream);
void finishDevice(int device);

/** Returns whether a range lies within one live allocation on a device. */
bool onDevice(const void* address, size_t bytes);

} // namespace emulation
