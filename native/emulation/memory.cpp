// Device memory, pinned host memory, and copies between them. Device memory is ordinary memory that starts as NaN; each
// allocation lies between guard bytes, which must not change (or, under AddressSanitizer, must not be accessed).
#include "runtime.h"

#include "settings.h"
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>

namespace emulation {
namespace {

constexpr size_t ALIGNMENT = 256;
#ifdef __SANITIZE_ADDRESS__
constexpr size_t GAP = 0;
#else
constexpr size_t GAP = 256;
#endif
constexpr unsigned char UNTOUCHED = 0xa5;
constexpr unsigned char UNDEFINED = 0xff; // NaN as a float, -1 as an integer

struct Block {
    size_t bytes;
    int device;
};

std::map<const char*, Block> blocks;   // device memory by address
std::map<const char*, size_t> pinned;  // host memory by address
std::map<int, size_t> used;            // bytes by device

template <class T>
auto blockBefore(const std::map<const char*, T>& map, const void* address) {
    auto next = map.upper_bound(static_cast<const char*>(address));
    return next == map.begin() ? map.end() : std::prev(next);
}

bool isPinned(const void* address, size_t bytes) {
    auto at = blockBefore(pinned, address);
    return at != pinned.end() && static_cast<const char*>(address) + bytes <= at->first + at->second;
}

void checkGaps(const char* address, size_t bytes) {
    for (size_t i = 0; i < GAP; i++) {
        bool before = static_cast<unsigned char>(address[-1 - static_cast<ptrdiff_t>(i)]) != UNTOUCHED;
        if (before || static_cast<unsigned char>(address[bytes + i]) != UNTOUCHED) {
            fault(cudaErrorIllegalAddress, std::to_string(i) + (before ? " bytes before" : " bytes after")
                                               + " a block of " + std::to_string(bytes) + " bytes was written");
            return;
        }
    }
}

/** Repeats the check of a range when a copy runs, as a graph may outlive the memory that it was captured with. */
bool stillThere(const void* address, size_t bytes) {
    if (!onDevice(address, bytes)) {
        fault(cudaErrorIllegalAddress, "a copy of " + std::to_string(bytes) + " bytes runs after its memory was freed");
        return false;
    }
    return true;
}

cudaError_t copyToDevice(CUstream_st& stream, void* to, const void* from, size_t bytes) {
    if (isPinned(from, bytes)) {
        enqueue(stream, [=] {
            if (stillThere(to, bytes)) {
                std::memcpy(to, from, bytes);
            }
        });
        return cudaSuccess;
    }
    if (stream.capture != cudaStreamCaptureStatusNone) {
        spoilsCapture();
        return cudaErrorStreamCaptureUnsupported;
    }
    // The caller may change pageable memory at once: its present content is copied.
    auto bytesNow = std::make_shared<std::vector<char>>(static_cast<const char*>(from), static_cast<const char*>(from) + bytes);
    enqueue(stream, [=] {
        if (stillThere(to, bytes)) {
            std::memcpy(to, bytesNow->data(), bytes);
        }
    });
    return cudaSuccess;
}

/** Copies as late to pageable memory as to pinned; real copies to pageable memory are done when the call returns. */
cudaError_t copyToHost(CUstream_st& stream, void* to, const void* from, size_t bytes) {
    if (stream.capture != cudaStreamCaptureStatusNone && !isPinned(to, bytes)) {
        spoilsCapture();
        return cudaErrorStreamCaptureUnsupported;
    }
    if (stream.capture == cudaStreamCaptureStatusNone) {
        std::memset(to, UNDEFINED, bytes);
    }
    enqueue(stream, [=] {
        if (stillThere(from, bytes)) {
            std::memcpy(to, from, bytes);
        }
    });
    return cudaSuccess;
}

cudaError_t copyOnDevice(CUstream_st& stream, void* to, const void* from, size_t bytes) {
    auto *a = static_cast<char*>(to), *b = const_cast<char*>(static_cast<const char*>(from));
    if (a < b + bytes && b < a + bytes) {
        return cudaErrorInvalidValue; // undefined on a GPU
    }
    enqueue(stream, [=] {
        if (stillThere(to, bytes) && stillThere(from, bytes)) {
            std::memcpy(to, from, bytes);
        }
    });
    return cudaSuccess;
}

} // namespace

bool occupy(int device, size_t bytes) {
    if (bytes > total() - std::min(total(), used[device])) {
        return false;
    }
    used[device] += bytes;
    return true;
}

void vacate(int device, size_t bytes) { used[device] -= bytes; }

bool onDevice(const void* address, size_t bytes) {
    auto at = blockBefore(blocks, address);
    return at != blocks.end() && static_cast<const char*>(address) + bytes <= at->first + at->second.bytes;
}

} // namespace emulation

using namespace emulation;

extern "C" {

cudaError_t cudaMalloc(void** pointer, size_t bytes) {
    return call([=] {
        if (spoilsCapture()) {
            return cudaErrorStreamCaptureUnsupported;
        }
        int device = currentDevice();
        *pointer = nullptr;
        if (bytes == 0) {
            return cudaSuccess;
        }
        void* memory;
        if (!occupy(device, bytes)) {
            return cudaErrorMemoryAllocation;
        }
        if (posix_memalign(&memory, ALIGNMENT, GAP + bytes + GAP) != 0) {
            vacate(device, bytes);
            return cudaErrorMemoryAllocation;
        }
        auto* address = static_cast<char*>(memory) + GAP;
        std::memset(memory, UNTOUCHED, GAP);
        std::memset(address, UNDEFINED, bytes);
        std::memset(address + bytes, UNTOUCHED, GAP);
        blocks[address] = {bytes, device};
        *pointer = address;
        return cudaSuccess;
    });
}

cudaError_t cudaFree(void* pointer) {
    return call([=] {
        if (spoilsCapture()) {
            return cudaErrorStreamCaptureUnsupported;
        }
        if (pointer == nullptr) {
            return cudaSuccess;
        }
        auto at = blocks.find(static_cast<char*>(pointer));
        if (at == blocks.end()) {
            return cudaErrorInvalidValue;
        }
        finishDevice(at->second.device); // freeing waits for the device
        checkGaps(at->first, at->second.bytes);
        vacate(at->second.device, at->second.bytes);
        std::memset(pointer, UNDEFINED, at->second.bytes);
        blocks.erase(at);
        std::free(static_cast<char*>(pointer) - GAP);
        return cudaSuccess;
    });
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* all) {
    return call([=] {
        *all = total();
        *free = total() - std::min(total(), used[currentDevice()]);
        return cudaSuccess;
    });
}

cudaError_t cudaHostAlloc(void** pointer, size_t bytes, unsigned) {
    return call([=] {
        if (spoilsCapture()) {
            return cudaErrorStreamCaptureUnsupported;
        }
        if (posix_memalign(pointer, 4096, std::max<size_t>(bytes, 1)) != 0) {
            return cudaErrorMemoryAllocation;
        }
        std::memset(*pointer, UNDEFINED, bytes);
        pinned[static_cast<char*>(*pointer)] = bytes;
        return cudaSuccess;
    });
}

cudaError_t cudaFreeHost(void* pointer) {
    return call([=] {
        if (spoilsCapture()) {
            return cudaErrorStreamCaptureUnsupported;
        }
        finishDevice(currentDevice());
        if (pointer != nullptr && pinned.erase(static_cast<char*>(pointer)) == 0) {
            return cudaErrorInvalidValue;
        }
        std::free(pointer);
        return cudaSuccess;
    });
}

cudaError_t cudaHostRegister(void* pointer, size_t bytes, unsigned) {
    return call([=] {
        if (spoilsCapture()) {
            return cudaErrorStreamCaptureUnsupported;
        }
        auto* address = static_cast<char*>(pointer);
        if (pointer == nullptr || bytes == 0) {
            return cudaErrorInvalidValue;
        }
        auto at = blockBefore(pinned, address + bytes - 1);
        if (at != pinned.end() && at->first + at->second > address) {
            return cudaErrorHostMemoryAlreadyRegistered;
        }
        pinned[address] = bytes;
        return cudaSuccess;
    });
}

cudaError_t cudaHostUnregister(void* pointer) {
    return call([=] {
        if (spoilsCapture()) {
            return cudaErrorStreamCaptureUnsupported;
        }
        finishDevice(currentDevice());
        return pinned.erase(static_cast<char*>(pointer)) == 0 ? cudaErrorHostMemoryNotRegistered : cudaSuccess;
    });
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t handle) {
    return call([=] {
        CUstream_st* stream;
        if (auto error = find(handle, stream); error != cudaSuccess || bytes == 0) {
            return error;
        }
        bool toDevice = onDevice(to, bytes), fromDevice = onDevice(from, bytes);
        switch (kind) {
            case cudaMemcpyHostToDevice:
                return toDevice && !fromDevice ? copyToDevice(*stream, to, from, bytes) : cudaErrorInvalidValue;
            case cudaMemcpyDeviceToHost:
                return !toDevice && fromDevice ? copyToHost(*stream, to, from, bytes) : cudaErrorInvalidValue;
            case cudaMemcpyDeviceToDevice:
                return toDevice && fromDevice ? copyOnDevice(*stream, to, from, bytes) : cudaErrorInvalidValue;
            default:
                return cudaErrorInvalidMemcpyDirection; // this project always names the direction
        }
    });
}

cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t handle) {
    return call([=] {
        CUstream_st* stream;
        if (auto error = find(handle, stream); error != cudaSuccess || bytes == 0) {
            return error;
        }
        if (!onDevice(to, bytes)) {
            return cudaErrorInvalidValue;
        }
        enqueue(*stream, [=] {
            if (stillThere(to, bytes)) {
                std::memset(to, value, bytes);
            }
        });
        return cudaSuccess;
    });
}

} // extern "C"
