// Causal attention, with an online softmax: a block for each query and head, which processes keys in tiles of one key a
// thread, so that any length fits into shared memory; or, for heads of 64 or 128 columns, a warp, without barriers, or eight
// warps, which divide the keys. Its two halves for single entries (one query, one head), whose weights are in device memory: a block for each
// entry.
#include "common.cuh"

#include <cfloat>

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
    float max = -FLT_MAX, sum = 0, mix = 0; // finite, so that scores of -INFINITY have weight 0 also in the first tile
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

constexpr int FEW_KEYS = 128; // which one warp may read
constexpr int FEW_ROWS = 128; // whose warps leave most of a card idle, so that eight of them share the keys

// Each thread holds W neighbouring columns of a head of 32 * W. SHARE warps, one or all of a block, divide the keys of a
// query: each takes some neighbours in turn, so that it waits for memory once for all of these. Their sums are added in
// order.
template <int W, int SHARE>
__global__ void __launch_bounds__(THREADS, 8 / W) // blocks for which there are registers
attentionByWarps(View<float> out, View<const float> queries, Context keys, Context values, const int32_t* length,
                 int64_t queriesPerSequence, int heads, int64_t rows, float divisor) {
    constexpr int AHEAD = 4;
    int lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
    int64_t entry = (static_cast<int64_t>(blockIdx.x) * WARPS + warp) / SHARE;
    int64_t row = entry / heads;
    if (row >= rows) {
        return;
    }
    int head = static_cast<int>(entry % heads);
    keys.own0 = values.own0 = row / queriesPerSequence * keys.rowsPerSequence;
    int64_t visible = keys.shared + length[0] + row % queriesPerSequence + 1;
    int column = (head * 32 + lane) * W;
    auto query = load<W>(queries.row(row) + column);
    float max = -FLT_MAX, sum = 0; // finite, as above
    Pack<float, W> mix{};
    for (int64_t first = warp % SHARE * AHEAD; first < visible; first += SHARE * AHEAD) {
        Pack<float, W> key[AHEAD], value[AHEAD];
        for (int j = 0; j < AHEAD; j++) {
            int64_t t = first + j < visible ? first + j : first; // the same again has weight 0
            key[j] = load<W>(keys.row(t) + column);
            value[j] = load<W>(values.row(t) + column);
        }
        float score[AHEAD], newMax = max;
        for (int j = 0; j < AHEAD; j++) {
            float dot = 0;
            for (int i = 0; i < W; i++) {
                dot += query.at[i] * key[j].at[i];
            }
            score[j] = first + j < visible ? warpSum(dot) / divisor : -INFINITY;
            newMax = fmaxf(newMax, score[j]);
        }
        float keep = expf(max - newMax);
        sum *= keep;
        for (int i = 0; i < W; i++) {
            mix.at[i] *= keep;
        }
        for (int j = 0; j < AHEAD; j++) {
            float weight = expf(score[j] - newMax);
            sum += weight;
            for (int i = 0; i < W; i++) {
                mix.at[i] += weight * value[j].at[i];
            }
        }
        max = newMax;
    }
    if constexpr (SHARE > 1) {
        __shared__ float maxima[WARPS], sums[WARPS];
        __shared__ Pack<float, W> mixes[WARPS][32];
        maxima[warp] = max;
        sums[warp] = sum;
        mixes[warp][lane] = mix;
        __syncthreads();
        if (warp > 0) {
            return;
        }
        for (int w = 1; w < WARPS; w++) {
            max = fmaxf(max, maxima[w]);
        }
        sum = 0;
        mix = {};
        for (int w = 0; w < WARPS; w++) {
            float weight = expf(maxima[w] - max);
            sum += sums[w] * weight;
            for (int i = 0; i < W; i++) {
                mix.at[i] += mixes[w][lane].at[i] * weight;
            }
        }
    }
    for (int i = 0; i < W; i++) {
        mix.at[i] /= sum;
    }
    store<W>(out.row(row) + column, mix);
}

// The queries and heads of entries, and what they attend to.
struct Entries {
    const int32_t* rows;
    const int32_t* heads;
    const int32_t* length;
    int64_t queriesPerSequence;
    int64_t headSize;

    __device__ int64_t visible(const Context& context) const {
        return context.shared + length[0] + rows[blockIdx.x] % queriesPerSequence + 1;
    }
    __device__ int64_t own0(const Context& context) const {
        return rows[blockIdx.x] / queriesPerSequence * context.rowsPerSequence;
    }
    __device__ int64_t offset() const { return heads[blockIdx.x] * headSize; }
};

__global__ void __launch_bounds__(THREADS)
attentionWeights(View<float> weights, View<const float> queries, Context keys, Entries entries, View<const float> bias,
                 int64_t columns, float divisor) {
    int64_t row = entries.rows[blockIdx.x];
    if (row < 0) {
        return;
    }
    keys.own0 = entries.own0(keys);
    int64_t visible = entries.visible(keys);
    float* w = weights.row(blockIdx.x);
    const float* b = bias.row(blockIdx.x);
    scoreTile(w, queries.row(row) + entries.offset(), keys, 0, static_cast<int>(visible), entries.offset(),
              entries.headSize, divisor);
    __syncthreads();
    float max = -INFINITY;
    for (int64_t k = threadIdx.x; k < visible; k += THREADS) {
        // an infinite score would get no weight, or all; NaN shows
        w[k] = b[k] == -INFINITY ? -INFINITY : fabsf(w[k]) < INFINITY ? w[k] + b[k] : NAN;
        max = fmaxf(max, w[k]);
    }
    max = blockMax(max);
    float sum = 0;
    for (int64_t k = threadIdx.x; k < visible; k += THREADS) {
        w[k] = w[k] == -INFINITY ? 0 : expf(w[k] - max);
        sum += w[k];
    }
    sum = blockSum(sum);
    for (int64_t k = threadIdx.x; k < columns; k += THREADS) {
        w[k] = k < visible && sum != 0 ? w[k] / sum : 0;
    }
}

// A warp for each share of the keys, whose threads hold neighbouring columns of the result.
__global__ void __launch_bounds__(THREADS)
attentionMix(View<float> out, View<const float> weights, Context values, Entries entries) {
    __shared__ float mixes[THREADS];
    int64_t row = entries.rows[blockIdx.x];
    if (row < 0) {
        return;
    }
    values.own0 = entries.own0(values);
    int64_t visible = entries.visible(values);
    int64_t column = static_cast<int64_t>(blockIdx.y) * 32 + threadIdx.x % 32;
    bool mine = column < entries.headSize;
    float mix = 0;
    for (int64_t k = threadIdx.x / 32; k < visible && mine; k += WARPS) {
        mix += weights.row(blockIdx.x)[k] * values.row(k)[entries.offset() + column];
    }
    mixes[threadIdx.x] = mix;
    __syncthreads();
    if (threadIdx.x < 32 && mine) {
        for (int other = 32; other < THREADS; other += 32) {
            mix += mixes[threadIdx.x + other];
        }
        out.row(row)[entries.offset() + column] = mix;
    }
}

// A block for each row.
__global__ void __launch_bounds__(THREADS)
softmaxBackward(View<float> dp, View<const float> p, int64_t columns, float divisor) {
    float* d = dp.row(blockIdx.x);
    const float* weights = p.row(blockIdx.x);
    float mean = 0;
    for (int64_t c = threadIdx.x; c < columns; c += THREADS) {
        mean += weights[c] * d[c];
    }
    mean = blockSum(mean);
    for (int64_t c = threadIdx.x; c < columns; c += THREADS) {
        d[c] = weights[c] * (d[c] - mean) / divisor;
    }
}

static Context context(const lmdebugger_matrix* prefix, const lmdebugger_matrix* own, int32_t sequences) {
    return {view<const float>(prefix), view<const float>(own), prefix->rows, 0, own->rows / sequences};
}

static Entries entries(const lmdebugger_matrix* queries, const lmdebugger_matrix* length, const lmdebugger_matrix* rows,
                       const lmdebugger_matrix* entry_heads, int32_t heads, int32_t sequences) {
    return {view<const int32_t>(rows).data, view<const int32_t>(entry_heads).data, view<const int32_t>(length).data,
            queries->rows / sequences, queries->columns / heads};
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
    bool shared = out->rows <= FEW_ROWS || prefix_keys->rows + keys->rows / sequences > FEW_KEYS;
    auto byWarps = [&](auto columns, auto share) {
        auto kernel = attentionByWarps<columns, share>;
        return LAUNCH(stream, static_cast<unsigned>((out->rows * heads * share + WARPS - 1) / WARPS), THREADS, kernel,
                      view<float>(out), view<const float>(queries), context(prefix_keys, keys, sequences),
                      context(prefix_values, values, sequences), view<const int32_t>(length).data,
                      out->rows / sequences, heads, out->rows, divisor);
    };
    auto byShare = [&](auto columns) {
        return shared ? byWarps(columns, std::integral_constant<int, WARPS>())
                      : byWarps(columns, std::integral_constant<int, 1>());
    };
    if (fours(out) && fours(queries) && fours(prefix_keys) && fours(prefix_values) && fours(keys) && fours(values)) {
        if (headSize == 64) {
            return byShare(std::integral_constant<int, 2>());
        }
        if (headSize == 128) {
            return byShare(std::integral_constant<int, 4>());
        }
    }
    int width = 1;
    while (width < headSize && width < THREADS) {
        width *= 2;
    }
    dim3 grid(static_cast<unsigned>(out->rows), static_cast<unsigned>(heads), parts(headSize, width, 65535));
    return LAUNCH(stream, grid, THREADS, attention, view<float>(out), view<const float>(queries),
                  context(prefix_keys, keys, sequences), context(prefix_values, values, sequences),
                  view<const int32_t>(length).data, out->rows / sequences, headSize, divisor, width);
}

int32_t lmdebugger_attention_weights(const lmdebugger_matrix* weights, const lmdebugger_matrix* queries,
                                     const lmdebugger_matrix* prefix_keys, const lmdebugger_matrix* keys,
                                     const lmdebugger_matrix* length, const lmdebugger_matrix* rows,
                                     const lmdebugger_matrix* entry_heads, const lmdebugger_matrix* bias, int32_t heads,
                                     int32_t sequences, float divisor, lmdebugger_stream* stream) {
    if (weights->rows == 0) {
        return cudaSuccess;
    }
    return LAUNCH(stream, static_cast<unsigned>(weights->rows), THREADS, attentionWeights, view<float>(weights),
                  view<const float>(queries), context(prefix_keys, keys, sequences),
                  entries(queries, length, rows, entry_heads, heads, sequences), view<const float>(bias),
                  weights->columns, divisor);
}

int32_t lmdebugger_attention_mix(const lmdebugger_matrix* out, const lmdebugger_matrix* weights,
                                 const lmdebugger_matrix* prefix_values, const lmdebugger_matrix* values,
                                 const lmdebugger_matrix* length, const lmdebugger_matrix* rows,
                                 const lmdebugger_matrix* entry_heads, int32_t heads, int32_t sequences,
                                 lmdebugger_stream* stream) {
    if (weights->rows == 0) {
        return cudaSuccess;
    }
    dim3 grid(static_cast<unsigned>(weights->rows), parts(out->columns / heads, 32, 65535));
    return LAUNCH(stream, grid, THREADS, attentionMix, view<float>(out), view<const float>(weights),
                  context(prefix_values, values, sequences),
                  entries(out, length, rows, entry_heads, heads, sequences));
}

int32_t lmdebugger_softmax_backward(const lmdebugger_matrix* dp, const lmdebugger_matrix* p, float divisor,
                                    lmdebugger_stream* stream) {
    if (p->rows == 0) {
        return cudaSuccess;
    }
    return LAUNCH(stream, static_cast<unsigned>(p->rows), THREADS, softmaxBackward, view<float>(dp),
                  view<const float>(p), p->columns, divisor);
}
