// Complete linkage: one merge of two clusters in a matrix of similarities.
#include "common.cuh"

// A thread for each cluster, which alone accesses its similarities to the two. Merged clusters have -inf.
__global__ void __launch_bounds__(THREADS) linkClusters(View<float> s, int64_t kept, int64_t dropped, int64_t count) {
    int64_t i = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x;
    if (i < count) {
        float similarity = fminf(s.row(kept)[i], s.row(dropped)[i]);
        s.row(kept)[i] = similarity;
        if (similarity != -INFINITY) {
            s.row(i)[kept] = similarity;
            s.row(i)[dropped] = -INFINITY;
        }
    }
}

int32_t lmdebugger_link_clusters(const lmdebugger_matrix* s, int64_t kept, int64_t dropped, lmdebugger_stream* stream) {
    return LAUNCH(stream, parts(s->columns, THREADS, 0x7fffffff), THREADS, linkClusters, view<float>(s), kept, dropped,
                  s->columns);
}
