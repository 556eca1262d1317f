// Capture of a stream into a graph, and its replay: the same pieces of work, with the arguments of the capture.
#include "runtime.h"

#include <set>

struct CUgraph_st {
    int device;
    std::vector<std::function<void()>> work;
};

struct CUgraphExec_st {
    int device;
    std::vector<std::function<void()>> work;
};

namespace {

constexpr size_t GRAPH = 64 << 10; // bytes of an executable graph on its device

std::set<CUgraph_st*> graphs;
std::set<CUgraphExec_st*> executables;

} // namespace

using namespace emulation;

extern "C" {

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode mode) {
    return call([=] {
        if (!known(handle)) { // the default stream cannot be captured
            return handle == nullptr ? cudaErrorStreamCaptureUnsupported : cudaErrorInvalidResourceHandle;
        }
        if (handle->capture != cudaStreamCaptureStatusNone) {
            return cudaErrorInvalidValue;
        }
        handle->capture = cudaStreamCaptureStatusActive;
        handle->captureMode = mode;
        handle->captor = std::this_thread::get_id();
        handle->recorded.clear();
        return cudaSuccess;
    });
}

cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph) {
    return call([=] {
        *graph = nullptr;
        if (!known(handle)) {
            return cudaErrorInvalidResourceHandle;
        }
        if (handle->capture == cudaStreamCaptureStatusNone) {
            return cudaErrorInvalidValue;
        }
        if (handle->captureMode != cudaStreamCaptureModeRelaxed && handle->captor != std::this_thread::get_id()) {
            return cudaErrorStreamCaptureWrongThread;
        }
        bool spoilt = handle->capture == cudaStreamCaptureStatusInvalidated;
        handle->capture = cudaStreamCaptureStatusNone;
        auto work = std::move(handle->recorded);
        handle->recorded.clear();
        if (spoilt) {
            return cudaErrorStreamCaptureInvalidated;
        }
        *graph = new CUgraph_st{handle->device, std::move(work)};
        graphs.insert(*graph);
        return cudaSuccess;
    });
}

cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
    return call([=] {
        if (handle != nullptr && !known(handle)) {
            return cudaErrorInvalidResourceHandle;
        }
        *status = handle == nullptr ? cudaStreamCaptureStatusNone : handle->capture;
        return cudaSuccess;
    });
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
    return call([=] {
        if (graphs.count(graph) == 0) {
            return cudaErrorInvalidValue;
        }
        if (spoilsCapture()) {
            return cudaErrorStreamCaptureUnsupported;
        }
        if (!occupy(graph->device, GRAPH)) {
            return cudaErrorMemoryAllocation;
        }
        *executable = new CUgraphExec_st{graph->device, graph->work};
        executables.insert(*executable);
        return cudaSuccess;
    });
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t handle) {
    return call([=] {
        CUstream_st* stream;
        if (auto error = find(handle, stream); error != cudaSuccess) {
            return error;
        }
        if (executables.count(executable) == 0) {
            return cudaErrorInvalidValue;
        }
        if (stream->device != executable->device) {
            return cudaErrorInvalidResourceHandle;
        }
        for (auto& work : executable->work) {
            enqueue(*stream, work);
        }
        return cudaSuccess;
    });
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    return call([=] {
        if (graphs.erase(graph) == 0) {
            return cudaErrorInvalidValue;
        }
        delete graph;
        return cudaSuccess;
    });
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
    return call([=] {
        if (executables.erase(executable) == 0) {
            return cudaErrorInvalidValue;
        }
        vacate(executable->device, GRAPH);
        delete executable;
        return cudaSuccess;
    });
}

} // extern "C"
