// Edits of windows of rows: a block for each. A sum is complete, by its barriers, before a thread writes what it read.
#include "common.cuh"

template <class Sum>
__device__ float norm(const float* w, int64_t width) {
    Sum sum = 0;
    for (int64_t c = threadIdx.x; c < width; c += THREADS) {
        sum += static_cast<Sum>(w[c]) * w[c];
    }
    return static_cast<float>(sqrt(blockSum(sum)));
}

__device__ inline float product(const float* w, const float* v, int64_t width) {
    float sum = 0;
    for (int64_t c = threadIdx.x; c < width; c += THREADS) {
        sum += w[c] * v[c];
    }
    return blockSum(sum);
}

__global__ void __launch_bounds__(THREADS)
editRows(View<float> x, View<const float> vectors, View<const int32_t> places, View<const float> factors,
         int64_t width) {
    int64_t e = blockIdx.x;
    if (places.row(0)[e] < 0) {
        return;
    }
    float* w = x.row(places.row(0)[e]) + places.row(1)[e];
    const float* v = vectors.row(places.row(2)[e]) + places.row(3)[e];
    float scale = factors.row(0)[e], amount = factors.row(1)[e];
    bool added = amount != 0 || factors.row(2)[e] != 0 || factors.row(3)[e] != 0;
    if (factors.row(2)[e] != 0) {
        float of = norm<float>(w, width);
        amount += factors.row(2)[e] * (of < INFINITY ? of : norm<double>(w, width));
    }
    if (factors.row(3)[e] != 0) {
        amount += factors.row(3)[e] * product(w, v, width);
    }
    for (int64_t c = threadIdx.x; c < width; c += THREADS) {
        float kept = scale == 0 ? 0 : scale * w[c]; // not 0 * itself, which may be NaN
        w[c] = !added ? kept : scale == 0 ? amount * v[c] : fmaf(amount, v[c], kept);
    }
}

int32_t lmdebugger_edit_rows(const lmdebugger_matrix* x, const lmdebugger_matrix* vectors,
                             const lmdebugger_matrix* places, const lmdebugger_matrix* factors, int64_t width,
                             lmdebugger_stream* stream) {
    if (places->columns == 0) {
        return cudaSuccess;
    }
    return LAUNCH(stream, static_cast<unsigned>(places->columns), THREADS, editRows, view<float>(x),
                  view<const float>(vectors), view<const int32_t>(places), view<const float>(factors), width);
}
