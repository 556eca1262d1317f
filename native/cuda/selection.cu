// Top k of a row: for large k by several passes of a thousand each. Dominant sub-updates are selected in the same way, by
// |m| * norm.
#include "selection.cuh"

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
