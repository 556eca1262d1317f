// Causal attention: a block for each query and head. Keys are processed in tiles of one key a thread, with an online
// softmax, so that any length fits into shared memory.
#include "common.cuh"

// The keys, or values, that a query attends to: the shared prefix, then its sequence's own.
struct Context {
    View<const float> prefix;
    View<const float> own;
    int64_t shared; // rows of the prefix
    int64_t own0;   // first own row of this sequence; set in the kernel
    int64_t rowsPerSequence;

    __device__ const float* row(int64_t t) const {
        return t < shared ? prefix.row(t) : own.row(own0 + t - shared);
    }
};

// q . k / divisor for each key of a tile, by warps.
__device__ inline void scoreTile(float* scores, const float* q, const Context& keys, int64_t first, int count,
                                 int64_t offset, int64_t headSize, float divisor) {
    int lane = threadIdx.x % 32;
    for (int k = threadIdx.x / 32; k < count; k += WARPS) {
        const float* key = keys.row(first + k) + offset;
        float sum = 0;
        for (int64_t c = lane; c < headSize; c += 32) {
            sum += q[c] * key[c];
        }
        sum = warpSum(sum);
        if (lane == 0) {
            scores[k] = sum / divisor;
        }
    }
}

// `width` threads, a power of two, hold neighbouring columns of the result; THREADS / width such groups share the keys.
__global__ void __launch_bounds__(THREADS)
attention(View<float> out, View<const float> queries, Context keys, Context values, const int32_t* length,
          int64_t queriesPerSequence, int64_t headSize, float divisor, int width) {
    __shared__ float weights[THREADS];
    int64_t sequence = blockIdx.x / queriesPerSequence;
    keys.own0 = values.own0 = sequence * keys.rowsPerSequence;
    int64_t visible = keys.shared + length[0] + blockIdx.x % queriesPerSequence + 1;
    int64_t offset = blockIdx.y * headSize;
    int64_t column = static_cast<int64_t>(blockIdx.z) * width + threadIdx.x % width;
    int group = threadIdx.x / width;
    float max = -INFINITY, sum = 0, mix = 0;
    for (int64_t first = 0; first < visible; first += THREADS) {
        int count = static_cast<int>(visible - first < THREADS ? visible - first : THREADS);
        __syncthreads(); // until the weights of the previous tile have been used
        scoreTile(weights, queries.row(blockIdx.x) + offset, keys, first, count, offset, headSize, divisor);
        __syncthreads();
        bool mine = threadIdx.x < static_cast<unsigned>(count);
        float score = mine ? weights[threadIdx.x] : -INFINITY;
        float newMax = fmaxf(max, blockMax(score));
        float weight = mine ? expf(score - newMax) : 0;
        weights[threadIdx.x] = weight;
        float tileSum = blockSum(weight); // its barriers also complete all weights
        float keep = expf(max - newMax);
        sum = sum * keep + tileSum;
        mix *= keep;
        for (int k = group; k < count && column < headSize; k += THREADS / width) {
            mix += weights[k] * values.row(first + k)[offset + column];
        }
        max = newMax;
    }
    __syncthreads(); // until the weights have been used
    weights[threadIdx.x] = mix;
    __syncthreads();
    if (group == 0 && column < headSize) {
        for (int other = width; other < THREADS; other += width) {
            mix += weights[threadIdx.x + other];
        }
        out.row(blockIdx.x)[offset + column] = mix / sum;
    }
}

int32_t lmdebugger_attention(const lmdebugger_matrix* out, const lmdebugger_matrix* queries,
                             const lmdebugger_matrix* prefix_keys, const lmdebugger_matrix* prefix_values,
                             const lmdebugger_matrix* keys, const lmdebugger_matrix* values,
                             const lmdebugger_matrix* length, int32_t heads, int32_t sequences, float divisor,
                             lmdebugger_stream* stream) {
    if (out->rows == 0) {
        return cudaSuccess;
    }
    int64_t headSize = out->columns / heads;
    int width = 1;
    while (width < headSize && width < THREADS) {
        width *= 2;
    }
    Context k{view<const float>(prefix_keys), view<const float>(keys), prefix_keys->rows, 0, keys->rows / sequences};
    Context v{view<const float>(prefix_values), view<const float>(values), prefix_keys->rows, 0, k.rowsPerSequence};
    dim3 grid(static_cast<unsigned>(out->rows), static_cast<unsigned>(heads), parts(headSize, width, 65535));
    return LAUNCH(stream, grid, THREADS, attention, view<float>(out), view<const float>(queries), k, v,
                  view<const int32_t>(length).data, out->rows / sequences, headSize, divisor, width);
}
