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

// Leaves the `want` largest keys below `limit` in keys, in order; number(i) is element i.
template <class F>
__device__ void selectKeys(Key* keys, int* filled, F number, int64_t columns, int want, Key limit) {
    if (threadIdx.x == 0) {
        *filled = 0;
    }
    Key threshold = 0;
    __syncthreads();
    for (int64_t first = 0; first < columns; first += KEPT) {
        for (int64_t c = first + threadIdx.x; c < first + KEPT && c < columns; c += THREADS) {
            Key key = keyOf(number(c), c);
            if (key > threshold && key < limit) {
                keys[atomicAdd(filled, 1)] = key; // in any order: they are sorted later, and no two are equal
            }
        }
        __syncthreads();
        bool full = *filled > KEPT; // the next step may not fit
        __syncthreads();
        if (full) {
            threshold = compact(keys, filled, want);
        }
    }
    compact(keys, filled, want);
}

struct Plain {
    View<const float> x;
    View<float> values;

    __device__ float number(int64_t r, int64_t c) const { return x.row(r)[c]; }
    __device__ void put(int64_t r, int64_t j, int64_t c) const { values.row(r)[j] = x.row(r)[c]; }
};

struct Smallest {
    View<const float> x;
    View<float> values;

    __device__ float number(int64_t r, int64_t c) const { return -x.row(r)[c]; }
    __device__ void put(int64_t r, int64_t j, int64_t c) const { values.row(r)[j] = x.row(r)[c]; }
};

struct Dominant {
    View<const float> m;
    const float* norms;
    View<float> coefficients;
    View<float> scores;

    __device__ float number(int64_t r, int64_t c) const { return fabsf(m.row(r)[c]) * norms[c]; }
    __device__ void put(int64_t r, int64_t j, int64_t c) const {
        coefficients.row(r)[j] = m.row(r)[c];
        scores.row(r)[j] = number(r, c);
    }
};

template <class S>
__global__ void __launch_bounds__(THREADS) selectLargest(View<int32_t> indices, S source, int64_t columns, int64_t k) {
    __shared__ Key keys[BUFFER];
    __shared__ int filled;
    int64_t r = blockIdx.x;
    Key limit = ~static_cast<Key>(0);
    for (int64_t done = 0; done < k; done += KEPT) {
        int want = static_cast<int>(k - done < KEPT ? k - done : KEPT);
        selectKeys(keys, &filled, [&](int64_t c) { return source.number(r, c); }, columns, want, limit);
        for (int j = threadIdx.x; j < want; j += THREADS) {
            int32_t index = indexOf(keys[j]);
            indices.row(r)[done + j] = index;
            source.put(r, done + j, index);
        }
        limit = keys[want - 1];
    }
}

template <class S>
static int32_t launchSelection(const lmdebugger_matrix* indices, S source, int64_t columns, lmdebugger_stream* stream) {
    if (indices->rows == 0 || indices->columns == 0) {
        return cudaSuccess;
    }
    auto kernel = selectLargest<S>;
    return LAUNCH(stream, static_cast<unsigned>(indices->rows), THREADS, kernel, view<int32_t>(indices), source,
                  columns, indices->columns);
}

int32_t lmdebugger_top_k(const lmdebugger_matrix* indices, const lmdebugger_matrix* values, const lmdebugger_matrix* x,
                         lmdebugger_stream* stream) {
    return launchSelection(indices, Plain{view<const float>(x), view<float>(values)}, x->columns, stream);
}

int32_t lmdebugger_bottom_k(const lmdebugger_matrix* indices, const lmdebugger_matrix* values,
                            const lmdebugger_matrix* x, lmdebugger_stream* stream) {
    return launchSelection(indices, Smallest{view<const float>(x), view<float>(values)}, x->columns, stream);
}

int32_t lmdebugger_dominant(const lmdebugger_matrix* neurons, const lmdebugger_matrix* coefficients,
                            const lmdebugger_matrix* scores, const lmdebugger_matrix* m,
                            const lmdebugger_matrix* norms, lmdebugger_stream* stream) {
    Dominant source{view<const float>(m), view<const float>(norms).data, view<float>(coefficients),
                    view<float>(scores)};
    return launchSelection(neurons, source, m->columns, stream);
}
