// LayerNorm and other row statistics: a block for each row.
#include "norms.cuh"

template <int W, class S>
__global__ void __launch_bounds__(THREADS)
layerNorm(View<typename S::Type> y, View<const float> x, const float* gain, const float* bias, int64_t columns,
          float epsilon) {
    normalise<W, S>(y.row(blockIdx.x), x.row(blockIdx.x), gain, bias, columns, epsilon);
}

// In FP64, one element a thread: a gradient is computed once, where a sweep normalises a thousand times.
__global__ void __launch_bounds__(THREADS)
layerNormBackward(View<float> dy, View<const float> x, const float* gain, int64_t columns, float epsilon) {
    const float* row = x.row(blockIdx.x);
    float* d = dy.row(blockIdx.x);
    auto of = statistics<1, double>(row, columns, epsilon);
    double sum = 0, along = 0;
    for (int64_t c = threadIdx.x; c < columns; c += THREADS) {
        double g = static_cast<double>(d[c]) * gain[c];
        sum += g;
        along += g * (row[c] - of.mean) * of.scale;
    }
    sum = blockSum(sum) / columns;
    along = blockSum(along) / columns;
    for (int64_t c = threadIdx.x; c < columns; c += THREADS) {
        double g = static_cast<double>(d[c]) * gain[c];
        d[c] = static_cast<float>((g - sum - (row[c] - of.mean) * of.scale * along) * of.scale);
    }
}

template <int W, class T>
__global__ void __launch_bounds__(THREADS) rowNorms(View<float> norms, View<const T> x, int64_t columns) {
    const T* row = x.row(blockIdx.x);
    float norm = root(rowSum<W, true, float>(row, columns, 0));
    if (!(norm < INFINITY)) {
        norm = static_cast<float>(root(rowSum<W, true, double>(row, columns, 0)));
    }
    if (threadIdx.x == 0) {
        *norms.row(blockIdx.x) = norm;
    }
}

template <int W>
__global__ void __launch_bounds__(THREADS)
biasNorms(View<float> norms, View<const float> x, const float* bias, int64_t columns) {
    const float* row = x.row(blockIdx.x);
    double square = 0;
    for (int64_t c = threadIdx.x * W; c < columns; c += THREADS * W) {
        auto in = load<W>(row + c);
        auto b = load<W>(bias + c);
        for (int i = 0; i < W; i++) {
            double value = static_cast<double>(in.at[i]) + b.at[i];
            square += value * value;
        }
    }
    square = blockSum(square);
    if (threadIdx.x == 0) {
        *norms.row(blockIdx.x) = static_cast<float>(sqrt(square));
    }
}

// g = gain ⊙ head[token] / σ is stored in memory, as a row may not fit into shared memory.
template <class T>
__global__ void __launch_bounds__(THREADS)
logitReader(View<float> reader, View<const float> x, const float* gain, View<const T> head, const int32_t* tokens,
            int64_t columns, float epsilon) {
    const float* row = x.row(blockIdx.x);
    const T* weights = head.row(tokens[blockIdx.x]);
    float* out = reader.row(blockIdx.x);
    auto of = statistics<1, float>(row, columns, epsilon);
    float scale = of.overflowed() ? static_cast<float>(statistics<1, double>(row, columns, epsilon).scale) : of.scale;
    for (int64_t c = threadIdx.x; c < columns; c += THREADS) {
        out[c] = gain[c] * number(weights[c]) * scale;
    }
    float centre = rowSum<1, false, float>(out, columns, 0) / columns; // each thread reads its own writes
    for (int64_t c = threadIdx.x; c < columns; c += THREADS) {
        out[c] -= centre;
    }
}

int32_t lmdebugger_layer_norm(const lmdebugger_matrix* y, const lmdebugger_matrix* x, const lmdebugger_matrix* gain,
                              const lmdebugger_matrix* bias, float epsilon, int32_t tf32, lmdebugger_stream* stream) {
    if (x->rows == 0) {
        return cudaSuccess;
    }
    return byStored(y->type, tf32, [&](auto stored) {
        using S = decltype(stored);
        return byWidth([&](auto width) {
            auto kernel = layerNorm<width, S>;
            return LAUNCH(stream, x->rows, THREADS, kernel, view<typename S::Type>(y), view<const float>(x),
                          view<const float>(gain).data, view<const float>(bias).data, x->columns, epsilon);
        }, y, x, gain, bias);
    });
}

int32_t lmdebugger_layer_norm_backward(const lmdebugger_matrix* dy, const lmdebugger_matrix* x,
                                       const lmdebugger_matrix* gain, float epsilon, lmdebugger_stream* stream) {
    if (x->rows == 0) {
        return cudaSuccess;
    }
    return LAUNCH(stream, x->rows, THREADS, layerNormBackward, view<float>(dy), view<const float>(x),
                  view<const float>(gain).data, x->columns, epsilon);
}

// Returns a view whose rows are the elements of a vector, which is a row or a column.
static View<float> vector(const lmdebugger_matrix* m) {
    return {view<float>(m).data, m->columns == 1 ? m->stride : 1};
}

int32_t lmdebugger_row_norms(const lmdebugger_matrix* norms, const lmdebugger_matrix* x, lmdebugger_stream* stream) {
    if (x->rows == 0) {
        return cudaSuccess;
    }
    return byType(x->type, [&](auto element) {
        using T = decltype(element);
        return byWidth([&](auto width) {
            auto kernel = rowNorms<width, T>;
            return LAUNCH(stream, x->rows, THREADS, kernel, vector(norms), view<const T>(x), x->columns);
        }, x);
    });
}

int32_t lmdebugger_bias_norms(const lmdebugger_matrix* norms, const lmdebugger_matrix* x, const lmdebugger_matrix* bias,
                              lmdebugger_stream* stream) {
    if (x->rows == 0) {
        return cudaSuccess;
    }
    return byWidth([&](auto width) {
        auto kernel = biasNorms<width>;
        return LAUNCH(stream, x->rows, THREADS, kernel, vector(norms), view<const float>(x),
                      view<const float>(bias).data, x->columns);
    }, x, bias);
}

int32_t lmdebugger_logit_reader(const lmdebugger_matrix* reader, const lmdebugger_matrix* x,
                                const lmdebugger_matrix* gain, const lmdebugger_matrix* head,
                                const lmdebugger_matrix* tokens, float epsilon, lmdebugger_stream* stream) {
    if (x->rows == 0) {
        return cudaSuccess;
    }
    return byType(head->type, [&](auto element) {
        using T = decltype(element);
        auto kernel = logitReader<T>;
        return LAUNCH(stream, x->rows, THREADS, kernel, view<float>(reader), view<const float>(x),
                      view<const float>(gain).data, view<const T>(head), view<const int32_t>(tokens).data, x->columns,
                      epsilon);
    });
}
