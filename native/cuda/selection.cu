// Top k of a row, by one pass that keeps the numbers above the k-th largest so far; for large k, by several passes of a
// thousand each. Dominant sub-updates are selected in the same way, by |m| * norm.
#include "order.cuh"

constexpr int KEPT = 1024;       // selected in one pass
constexpr int BUFFER = 2 * KEPT; // and as many candidates

// Sorts keys[0 ... size), a power of two, largest first (bitonic); done after the next barrier.
__device__ inline void sortKeys(Key* keys, int size) {
    for (int run = 2; run <= size; run *= 2) {
        for (int step = run / 2; step > 0; step /= 2) {
            __syncthreads();
            for (int i = threadIdx.x; i < size; i += THREADS) {
                int j = i ^ step;
                if (j > i && (keys[i] < keys[j]) == ((i & run) == 0)) {
                    Key key = keys[i];
                    keys[i] = keys[j];
                    keys[j] = key;
                }
            }
        }
    }
}

// Sorts the candidates, which are visible to all threads, and keeps the first `want`. Returns the last of these, a
// lower bound for further candidates.
__device__ inline Key compact(Key* keys, int* filled, int want) {
    int count = *filled;
    int size = 2;
    while (size < count) {
        size *= 2;
    }
    for (int i = count + threadIdx.x; i < size; i += THREADS) {
        keys[i] = 0;
    }
    sortKeys(keys, size);
    if (threadIdx.x == 0) {
        *filled = count < want ? count : want;
    }
    __syncthreads();
    return count < want ? 0 : keys[want - 1];
}

// Leaves the `want` largest keys below `limit` in keys, in order, of numbers(c), the pack of W elements from c on.
template <int W, class F>
__device__ void selectKeys(Key* keys, int* filled, F numbers, int columns, int want, Key limit) {
    constexpr int AHEAD = 2; // packs that a thread reads before it uses the first
    constexpr int STEP = THREADS * W;
    static_assert(STEP <= KEPT);
    if (threadIdx.x == 0) {
        *filled = 0;
    }
    Key threshold = 0;
    auto offer = [&](Key key) {
        if (key > threshold && key < limit) {
            keys[atomicAdd(filled, 1)] = key; // in any order: they are sorted later, and no two are equal
        }
    };
    __syncthreads();
    int whole = columns / W * W;
    for (int c = whole + threadIdx.x; c < columns; c += THREADS) {
        offer(keyOf(numbers(c, std::integral_constant<int, 1>()).at[0], c));
    }
    for (int first = 0; first < whole; first += AHEAD * STEP) {
        Pack<float, W> packs[AHEAD];
        for (int i = 0; i < AHEAD; i++) {
            int c = first + i * STEP + threadIdx.x * W;
            if (c < whole) {
                packs[i] = numbers(c, std::integral_constant<int, W>());
            }
        }
        for (int i = 0; i < AHEAD; i++) {
            int c = first + i * STEP + threadIdx.x * W;
            for (int j = 0; j < W; j++) {
                offer(c < whole ? keyOf(packs[i].at[j], c + j) : 0);
            }
            __syncthreads();
            bool full = *filled > KEPT; // the next step may not fit
            __syncthreads();
            if (full) {
                threshold = compact(keys, filled, want);
            }
        }
    }
    compact(keys, filled, want);
}

struct Plain {
    View<const float> x;
    View<float> values;

    template <int W>
    __device__ Pack<float, W> numbers(int64_t r, int64_t c) const { return load<W>(x.row(r) + c); }
    __device__ void put(int64_t r, int64_t j, int64_t c) const { values.row(r)[j] = x.row(r)[c]; }
};

struct Smallest {
    View<const float> x;
    View<float> values;

    template <int W>
    __device__ Pack<float, W> numbers(int64_t r, int64_t c) const {
        auto pack = load<W>(x.row(r) + c);
        for (int i = 0; i < W; i++) {
            pack.at[i] = -pack.at[i];
        }
        return pack;
    }
    __device__ void put(int64_t r, int64_t j, int64_t c) const { values.row(r)[j] = x.row(r)[c]; }
};

struct Dominant {
    View<const float> m;
    const float* norms;
    View<float> coefficients;
    View<float> scores;

    template <int W>
    __device__ Pack<float, W> numbers(int64_t r, int64_t c) const {
        auto pack = load<W>(m.row(r) + c);
        auto norm = load<W>(norms + c);
        for (int i = 0; i < W; i++) {
            pack.at[i] = fabsf(pack.at[i]) * norm.at[i];
        }
        return pack;
    }
    __device__ void put(int64_t r, int64_t j, int64_t c) const {
        coefficients.row(r)[j] = m.row(r)[c];
        scores.row(r)[j] = numbers<1>(r, c).at[0];
    }
};

template <int W, class S>
__global__ void __launch_bounds__(THREADS, 4) selectLargest(View<int32_t> indices, S source, int columns, int64_t k) {
    __shared__ Key keys[BUFFER];
    __shared__ int filled;
    int64_t r = blockIdx.x;
    Key limit = ~static_cast<Key>(0);
    for (int64_t done = 0; done < k; done += KEPT) {
        int want = static_cast<int>(k - done < KEPT ? k - done : KEPT);
        auto numbers = [&](int c, auto width) { return source.template numbers<width>(r, c); };
        selectKeys<W>(keys, &filled, numbers, columns, want, limit);
        for (int j = threadIdx.x; j < want; j += THREADS) {
            int32_t index = indexOf(keys[j]);
            indices.row(r)[done + j] = index;
            source.put(r, done + j, index);
        }
        limit = keys[want - 1];
    }
}

template <class S, class... M>
static int32_t launchSelection(const lmdebugger_matrix* indices, S source, int64_t columns, lmdebugger_stream* stream,
                               const M*... read) {
    if (indices->rows == 0 || indices->columns == 0) {
        return cudaSuccess;
    }
    return byAlignment([&](auto width) {
        auto kernel = selectLargest<width, S>;
        return LAUNCH(stream, static_cast<unsigned>(indices->rows), THREADS, kernel, view<int32_t>(indices), source,
                      columns, indices->columns);
    }, read...);
}

int32_t lmdebugger_top_k(const lmdebugger_matrix* indices, const lmdebugger_matrix* values, const lmdebugger_matrix* x,
                         lmdebugger_stream* stream) {
    return launchSelection(indices, Plain{view<const float>(x), view<float>(values)}, x->columns, stream, x);
}

int32_t lmdebugger_bottom_k(const lmdebugger_matrix* indices, const lmdebugger_matrix* values,
                            const lmdebugger_matrix* x, lmdebugger_stream* stream) {
    return launchSelection(indices, Smallest{view<const float>(x), view<float>(values)}, x->columns, stream, x);
}

int32_t lmdebugger_dominant(const lmdebugger_matrix* neurons, const lmdebugger_matrix* coefficients,
                            const lmdebugger_matrix* scores, const lmdebugger_matrix* m,
                            const lmdebugger_matrix* norms, lmdebugger_stream* stream) {
    Dominant source{view<const float>(m), view<const float>(norms).data, view<float>(coefficients),
                    view<float>(scores)};
    return launchSelection(neurons, source, m->columns, stream, m, norms);
}
