// Streams and events. Work runs only when a caller waits for it, so that missing synchronisation is detected.
#include "runtime.h"

#include "block.h"
#include "settings.h"
#include "shared_memory.h"
#include <map>
#include <set>

struct CUevent_st {
    int device;
    bool timed;
    CUstream_st* stream = nullptr; // where it was recorded last
    // Shared with the queued records, which may outlive the event.
    struct State {
        uint64_t asked = 0;
        uint64_t done = 0;
        std::chrono::steady_clock::time_point time;
    };
    std::shared_ptr<State> state = std::make_shared<State>();
};

namespace emulation {
namespace {

std::set<CUstream_st*> streams;
std::map<int, CUstream_st> defaultStreams; // by device
std::set<CUevent_st*> events;

/** The code of kernels is loaded onto a device when they are launched there first. */
constexpr size_t CODE = 64 << 10;
std::set<std::pair<int, const void*>> loaded;

void runOne(CUstream_st& stream) {
    auto work = std::move(stream.queue.front());
    stream.queue.pop_front();
    work();
}

/** Runs the queued work of an event's stream up to the mark `ticket`; a destroyed stream has run it already. */
void finishUntil(CUstream_st* stream, const CUevent_st::State& state, uint64_t ticket) {
    while (state.done < ticket && !stream->queue.empty()) {
        runOne(*stream);
    }
}

/** Returns whether a wait is illegal (on a captured stream, or in a capturing thread); it invalidates the capture. */
bool mayNotWait(CUstream_st& stream) {
    if (stream.capture != cudaStreamCaptureStatusNone) {
        stream.capture = cudaStreamCaptureStatusInvalidated;
        return true;
    }
    return spoilsCapture();
}

} // namespace

bool known(cudaStream_t stream) { return streams.count(stream) > 0; }

bool spoilsCapture() {
    bool any = false;
    for (auto* stream : streams) {
        if (stream->capture != cudaStreamCaptureStatusNone && stream->captor == std::this_thread::get_id()) {
            stream->capture = cudaStreamCaptureStatusInvalidated;
            any = true;
        }
    }
    return any;
}

cudaError_t find(cudaStream_t handle, CUstream_st*& stream) {
    if (handle == nullptr) {
        stream = &defaultStreams[currentDevice()];
        stream->device = currentDevice();
        return spoilsCapture() ? cudaErrorStreamCaptureImplicit : cudaSuccess;
    }
    if (!known(handle)) {
        return cudaErrorInvalidResourceHandle;
    }
    stream = handle;
    return stream->capture == cudaStreamCaptureStatusInvalidated ? cudaErrorStreamCaptureInvalidated : cudaSuccess;
}

void enqueue(CUstream_st& stream, std::function<void()> work) {
    if (stream.capture == cudaStreamCaptureStatusActive) {
        stream.recorded.push_back(std::move(work));
    } else {
        stream.queue.push_back(std::move(work));
    }
}

void finish(CUstream_st& stream) {
    while (!stream.queue.empty()) {
        runOne(stream);
    }
}

void finishDevice(int device) {
    for (auto* stream : streams) {
        if (stream->device == device) {
            finish(*stream);
        }
    }
    finish(defaultStreams[device]);
}

cudaError_t launchKernel(const char* name, const void* code, cudaStream_t handle, dim3 grid, dim3 block,
                         std::function<void()> body) {
    return call([&] {
        CUstream_st* stream;
        if (auto error = find(handle, stream); error != cudaSuccess) {
            return error;
        }
        if (stream->device != currentDevice()) {
            return cudaErrorInvalidResourceHandle;
        }
        if (capability(stream->device) < 80) {
            return cudaErrorNoKernelImageForDevice;
        }
        bool gridFits = grid.x >= 1 && grid.x <= 0x7fffffff && grid.y >= 1 && grid.y <= 65535 && grid.z >= 1 && grid.z <= 65535;
        bool blockFits = block.x >= 1 && block.x <= 1024 && block.y >= 1 && block.y <= 1024 && block.z >= 1 && block.z <= 64
                         && block.x * block.y * block.z <= 1024;
        if (!gridFits || !blockFits) {
            return cudaErrorInvalidConfiguration;
        }
        if (loaded.count({stream->device, code}) == 0) {
            if (!occupy(stream->device, CODE)) {
                return cudaErrorMemoryAllocation;
            }
            loaded.insert({stream->device, code});
        }
        findSharedMemory(code);
        enqueue(*stream, [=, kernel = std::string(name)] {
            auto trouble = runKernel(grid, block, body);
            if (!trouble.empty()) {
                fault(cudaErrorLaunchFailure, kernel + ": " + trouble);
            }
        });
        return cudaSuccess;
    });
}

} // namespace emulation

using namespace emulation;

extern "C" {

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* handle, unsigned) {
    return call([=] {
        if (spoilsCapture()) {
            return cudaErrorStreamCaptureUnsupported;
        }
        *handle = new CUstream_st;
        (*handle)->device = currentDevice();
        streams.insert(*handle);
        return cudaSuccess;
    });
}

cudaError_t cudaStreamDestroy(cudaStream_t handle) {
    return call([=] {
        if (!known(handle)) {
            return cudaErrorInvalidResourceHandle;
        }
        finish(*handle);
        streams.erase(handle);
        delete handle;
        return cudaSuccess;
    });
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
    return call([=] {
        CUstream_st* stream;
        if (auto error = find(handle, stream); error != cudaSuccess) {
            return error;
        }
        if (mayNotWait(*stream)) {
            return cudaErrorStreamCaptureUnsupported;
        }
        finish(*stream);
        return cudaSuccess;
    });
}

/** Runs one piece of work at each query, so that polling comes to an end. */
cudaError_t cudaStreamQuery(cudaStream_t handle) {
    return call([=] {
        CUstream_st* stream;
        if (auto error = find(handle, stream); error != cudaSuccess) {
            return error;
        }
        if (mayNotWait(*stream)) {
            return cudaErrorStreamCaptureUnsupported;
        }
        if (stream->queue.empty()) {
            return cudaSuccess;
        }
        runOne(*stream);
        return cudaErrorNotReady;
    });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* handle, unsigned flags) {
    return call([=] {
        *handle = new CUevent_st{currentDevice(), (flags & cudaEventDisableTiming) == 0};
        events.insert(*handle);
        return cudaSuccess;
    });
}

cudaError_t cudaEventDestroy(cudaEvent_t handle) {
    return call([=] {
        if (events.erase(handle) == 0) {
            return cudaErrorInvalidResourceHandle;
        }
        delete handle;
        return cudaSuccess;
    });
}

/** Refuses to record an event inside a capture, which would fork it; this project never does that. */
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t handle) {
    return call([=] {
        CUstream_st* stream;
        if (auto error = find(handle, stream); error != cudaSuccess) {
            return error;
        }
        if (events.count(event) == 0 || event->device != stream->device) {
            return cudaErrorInvalidResourceHandle;
        }
        if (stream->capture != cudaStreamCaptureStatusNone && mayNotWait(*stream)) {
            return cudaErrorStreamCaptureUnsupported;
        }
        event->stream = stream;
        enqueue(*stream, [state = event->state, ticket = ++event->state->asked] {
            state->done = ticket;
            state->time = std::chrono::steady_clock::now();
        });
        return cudaSuccess;
    });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    return call([=] {
        if (events.count(event) == 0) {
            return cudaErrorInvalidResourceHandle;
        }
        if (spoilsCapture()) {
            return cudaErrorStreamCaptureUnsupported;
        }
        finishUntil(event->stream, *event->state, event->state->asked);
        return cudaSuccess;
    });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event, unsigned) {
    return call([=] {
        CUstream_st* stream;
        if (auto error = find(handle, stream); error != cudaSuccess) {
            return error;
        }
        if (events.count(event) == 0) {
            return cudaErrorInvalidResourceHandle;
        }
        if (stream->capture != cudaStreamCaptureStatusNone && mayNotWait(*stream)) {
            return cudaErrorStreamCaptureUnsupported;
        }
        enqueue(*stream, [from = event->stream, state = event->state, ticket = event->state->asked] {
            finishUntil(from, *state, ticket);
        });
        return cudaSuccess;
    });
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
    return call([=] {
        for (auto* event : {start, end}) {
            if (events.count(event) == 0 || !event->timed || event->state->asked == 0) {
                return cudaErrorInvalidResourceHandle;
            }
        }
        if (start->state->done < start->state->asked || end->state->done < end->state->asked) {
            return cudaErrorNotReady;
        }
        *milliseconds = std::chrono::duration<float, std::milli>(end->state->time - start->state->time).count();
        return cudaSuccess;
    });
}

} // extern "C"
