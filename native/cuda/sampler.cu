// Choosing a token from each row of logits, as org.lmdebugger.device.Sampling defines it: a block for each row. The
// candidates are all tokens whose key reaches a threshold. It is found among the thousand largest keys, or, if more tokens
// are candidates, bit by bit.
#include "logits.cuh"
#include "selection.cuh"

struct Row {
    const float* x;
    int columns;
    float max;
    float temperature;

    __device__ double weight(int c) const { return expf((x[c] - max) / temperature); }
    __device__ double weight(Key key) const { return weight(indexOf(key)); }

    // Returns the number of tokens that have at least this key.
    __device__ int count(Key least) const {
        int count = 0;
        for (int c = threadIdx.x; c < columns; c += THREADS) {
            count += keyOf(x[c], c) >= least;
        }
        return blockSum(count);
    }

    __device__ double mass(Key least) const {
        double mass = 0;
        for (int c = threadIdx.x; c < columns; c += THREADS) {
            mass += keyOf(x[c], c) >= least ? weight(c) : 0;
        }
        return blockSum(mass);
    }
};

// Returns the largest key with enough(key), which holds for `least` and for all keys below any for which it holds.
template <class F>
__device__ Key largestKey(Key least, F enough) {
    Key key = 0;
    for (int bit = 63; bit >= 0; bit--) {
        Key longer = key | static_cast<Key>(1) << bit;
        if (longer <= least || enough(longer)) {
            key = longer;
        }
    }
    return key < least ? least : key;
}

// Returns the first of `count` sorted keys at which the running sum of weights reaches `wanted`; 0 if none does.
BLOCK_FUNCTION Key nucleus(const Row& row, const Key* keys, int count, double wanted) {
    __shared__ double sums[THREADS];
    __shared__ Key last;
    int part = (count + THREADS - 1) / THREADS;
    int from = threadIdx.x * part;
    int to = from + part < count ? from + part : count;
    double sum = 0;
    for (int i = from; i < to; i++) {
        sum += row.weight(keys[i]);
    }
    sums[threadIdx.x] = sum;
    if (threadIdx.x == 0) {
        last = 0;
    }
    __syncthreads();
    double running = 0; // over the threads before
    for (int t = 0; t < static_cast<int>(threadIdx.x); t++) {
        running += sums[t];
    }
    if (running < wanted && running + sum >= wanted) { // one thread alone
        int i = from;
        for (running += row.weight(keys[i]); i + 1 < to && running < wanted; running += row.weight(keys[i])) {
            i++;
        }
        last = keys[i];
    }
    __syncthreads();
    return last;
}

// Returns the first candidate, lowest id first, at which the running sum exceeds u times the sum of all, else -1.
BLOCK_FUNCTION int draw(const Row& row, Key least, float uniform) {
    __shared__ double sums[THREADS];
    __shared__ int chosen;
    int part = (row.columns + THREADS - 1) / THREADS;
    int from = threadIdx.x * part;
    int to = from + part < row.columns ? from + part : row.columns;
    double sum = 0;
    for (int c = from; c < to; c++) {
        sum += keyOf(row.x[c], c) >= least ? row.weight(c) : 0;
    }
    sums[threadIdx.x] = sum;
    if (threadIdx.x == 0) {
        chosen = -1;
    }
    __syncthreads();
    double before = 0, total = 0;
    for (int t = 0; t < THREADS; t++) {
        before = t == static_cast<int>(threadIdx.x) ? total : before;
        total += sums[t];
    }
    double target = uniform * total;
    if (before <= target && before + sum > target) { // one thread alone
        double running = 0;
        int last = -1;
        for (int c = from; c < to && before + running <= target; c++) {
            if (keyOf(row.x[c], c) >= least) {
                running += row.weight(c);
                last = c;
            }
        }
        chosen = last;
    }
    __syncthreads();
    return chosen;
}

template <int W>
__global__ void __launch_bounds__(THREADS, 2)
sample(int32_t* ids, float* logProbabilities, View<const float> logits, View<const float> uniforms,
       const int32_t* step, int columns, float temperature, int32_t topK, float topP) {
    __shared__ Key keys[BUFFER];
    __shared__ int filled;
    const float* x = logits.row(blockIdx.x);
    Exponentials own;
    Key best = 0;
    float largest = NAN; // which no number is below or equal to, so that the first is taken
    eachPack<W>(x, columns, [&](auto pack, int c) {
        own.add(pack);
        for (int i = 0; i < pack.WIDTH; i++) {
            if (!(pack.at[i] <= largest)) {
                Key key = keyOf(pack.at[i], c + i);
                best = key > best ? key : best;
                largest = fmaxf(largest, pack.at[i]);
            }
        }
    });
    Softmax softmax(own);
    int id = indexOf(blockMaxKey(best));
    if (temperature != 0) {
        Row row{x, columns, softmax.own.max, temperature};
        int limit = topK > 0 && topK < columns ? topK : columns;
        int kept = limit < KEPT ? limit : KEPT;
        Key least = 0;
        if (limit <= KEPT || topP < 1) {
            auto numbers = [&](int c, auto width) { return load<width>(x + c); };
            selectKeys<W>(keys, &filled, numbers, columns, kept, ~static_cast<Key>(0));
        }
        if (limit <= KEPT) {
            least = keys[kept - 1];
        } else if (limit < columns) {
            least = largestKey(0, [&](Key key) { return row.count(key) >= limit; });
        }
        if (topP < 1) {
            double wanted = topP * row.mass(least);
            Key last = nucleus(row, keys, kept, wanted);
            if (last != 0) {
                least = last;
            } else if (limit > KEPT) {
                least = largestKey(least, [&](Key key) { return row.mass(key) >= wanted; });
            }
        }
        int drawn = draw(row, least, uniforms.row(step[0])[blockIdx.x]);
        id = drawn < 0 ? id : drawn;
    }
    if (threadIdx.x == 0) {
        ids[blockIdx.x] = id;
        logProbabilities[blockIdx.x] = static_cast<float>(x[id] - softmax.logSumExp());
    }
}

int32_t lmdebugger_sample(const lmdebugger_matrix* ids, const lmdebugger_matrix* log_probabilities,
                          const lmdebugger_matrix* logits, const lmdebugger_matrix* uniforms,
                          const lmdebugger_matrix* step, float temperature, int32_t top_k, float top_p,
                          lmdebugger_stream* stream) {
    if (logits->rows == 0) {
        return cudaSuccess;
    }
    return byAlignment([&](auto width) {
        auto kernel = sample<width>;
        return LAUNCH(stream, static_cast<unsigned>(logits->rows), THREADS, kernel, view<int32_t>(ids).data,
                      view<float>(log_probabilities).data, view<const float>(logits), view<const float>(uniforms),
                      view<const int32_t>(step).data, logits->columns, temperature, top_k, top_p);
    }, logits);
}
