// Devices, versions, errors, and the common wrapper of every call.
#include "runtime.h"

#include "settings.h"
#include <cstdio>

namespace emulation {

std::recursive_mutex lock;

namespace {

cudaError_t sticky = cudaSuccess;
cudaError_t failed() { return sticky == cudaSuccess ? static_cast<cudaError_t>(failure()) : sticky; }

thread_local cudaError_t last = cudaSuccess;
thread_local int current = 0;

struct Text {
    cudaError_t error;
    const char* name;
    const char* meaning;
};

constexpr Text TEXTS[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration", "invalid configuration argument"},
    {cudaErrorInvalidMemcpyDirection, "cudaErrorInvalidMemcpyDirection", "invalid copy direction for memcpy"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorNoKernelImageForDevice, "cudaErrorNoKernelImageForDevice",
     "no kernel image is available for execution on the device"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress", "an illegal memory access was encountered"},
    {cudaErrorHostMemoryAlreadyRegistered, "cudaErrorHostMemoryAlreadyRegistered",
     "part or all of the requested memory range is already mapped"},
    {cudaErrorHostMemoryNotRegistered, "cudaErrorHostMemoryNotRegistered",
     "pointer does not correspond to a registered memory region"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
    {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported",
     "operation not permitted when stream is capturing"},
    {cudaErrorStreamCaptureInvalidated, "cudaErrorStreamCaptureInvalidated",
     "operation failed due to a previous error during capture"},
    {cudaErrorStreamCaptureImplicit, "cudaErrorStreamCaptureImplicit",
     "operation would make the legacy stream depend on a capturing blocking stream"},
    {cudaErrorStreamCaptureWrongThread, "cudaErrorStreamCaptureWrongThread",
     "attempt to terminate a thread-local capture sequence from another thread"},
};

const Text* text(cudaError_t error) {
    for (auto& candidate : TEXTS) {
        if (candidate.error == error) {
            return &candidate;
        }
    }
    return nullptr;
}

} // namespace

cudaError_t call(const std::function<cudaError_t()>& body) {
    std::lock_guard guard(lock);
    cudaError_t error = failed() == cudaSuccess ? body() : failed();
    if (error == cudaSuccess) {
        error = failed(); // of work that ran in this call
    }
    if (error != cudaSuccess && error != cudaErrorNotReady) {
        last = error;
    }
    return error;
}

void fault(cudaError_t error, const std::string& what) {
    std::fprintf(stderr, "emulation: %s: %s\n", cudaGetErrorName(error), what.c_str());
    if (sticky == cudaSuccess) {
        sticky = error;
    }
}

void forgetFault() {
    sticky = cudaSuccess;
    last = cudaSuccess;
}

int currentDevice() { return current; }

} // namespace emulation

using namespace emulation;

extern "C" {

cudaError_t cudaGetDeviceCount(int* count) {
    return call([=] {
        *count = devices();
        return cudaSuccess;
    });
}

cudaError_t cudaGetDevice(int* device) {
    return call([=] {
        *device = current;
        return cudaSuccess;
    });
}

cudaError_t cudaSetDevice(int device) {
    return call([=] {
        if (device < 0 || device >= devices()) {
            return cudaErrorInvalidDevice;
        }
        current = device;
        return cudaSuccess;
    });
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
    return call([=] {
        if (device < 0 || device >= devices()) {
            return cudaErrorInvalidDevice;
        }
        switch (attribute) {
            case cudaDevAttrMaxThreadsPerBlock: *value = 1024; break;
            case cudaDevAttrMaxSharedMemoryPerBlock: *value = 48 * 1024; break;
            case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = 227 * 1024; break;
            case cudaDevAttrWarpSize: *value = 32; break;
            case cudaDevAttrMultiProcessorCount: *value = 4; break;
            case cudaDevAttrComputeCapabilityMajor: *value = capability(device) / 10; break;
            case cudaDevAttrComputeCapabilityMinor: *value = capability(device) % 10; break;
            default: return cudaErrorInvalidValue;
        }
        return cudaSuccess;
    });
}

cudaError_t cudaDeviceGetPCIBusId(char* text, int length, int device) {
    return call([=] {
        if (device < 0 || device >= devices()) {
            return cudaErrorInvalidDevice;
        }
        if (text == nullptr || length < 13) {
            return cudaErrorInvalidValue;
        }
        std::snprintf(text, length, "FFFF:%02X:00.0", device); // a domain that no machine has
        return cudaSuccess;
    });
}

cudaError_t cudaDriverGetVersion(int* version) {
    *version = 13000;
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
    *version = 13000;
    return cudaSuccess;
}

cudaError_t cudaGetLastError() {
    std::lock_guard guard(lock);
    cudaError_t error = failed() == cudaSuccess ? last : failed();
    last = cudaSuccess;
    return error;
}

const char* cudaGetErrorName(cudaError_t error) {
    auto* known = text(error);
    return known == nullptr ? "unrecognized error code" : known->name;
}

const char* cudaGetErrorString(cudaError_t error) {
    auto* known = text(error);
    return known == nullptr ? "unrecognized error code" : known->meaning;
}

} // extern "C"
