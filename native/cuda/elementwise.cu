// Elementwise kernels: embedding, biases, the activation, and edits of coefficients and of the residual stream.
#include "gelu.cuh"

#define FOR_COLUMNS(c, W, columns)                                                                     \
    for (int64_t c = (static_cast<int64_t>(blockIdx.y) * THREADS + threadIdx.x) * W; c < columns;      \
         c += static_cast<int64_t>(gridDim.y) * THREADS * W)

template <int W, class T>
__global__ void __launch_bounds__(THREADS)
embed(View<float> x, View<const T> tokens, View<const T> positions, const int32_t* ids, const int32_t* at,
      int64_t columns) {
    FOR_COLUMNS(c, W, columns) {
        auto token = load<W>(tokens.row(ids[blockIdx.x]) + c);
        auto position = load<W>(positions.row(at[blockIdx.x]) + c);
        Pack<float, W> sum;
        for (int i = 0; i < W; i++) {
            sum.at[i] = number(token.at[i]) + number(position.at[i]);
        }
        store<W>(x.row(blockIdx.x) + c, sum);
    }
}

struct Sum {
    __device__ float operator()(float x) const { return x; }
};

// y may be x.
template <int W, class F, class S>
__global__ void __launch_bounds__(THREADS)
addBias(View<typename S::Type> y, View<const float> x, const float* bias, int64_t columns) {
    FOR_COLUMNS(c, W, columns) {
        auto value = load<W>(x.row(blockIdx.x) + c);
        auto b = load<W>(bias + c);
        Pack<typename S::Type, W> out;
        for (int i = 0; i < W; i++) {
            out.at[i] = S::of(F()(value.at[i] + b.at[i]));
        }
        store<W>(y.row(blockIdx.x) + c, out);
    }
}

template <int W, class F>
__global__ void __launch_bounds__(THREADS)
multiplySlope(View<float> d, View<const float> x, const float* bias, int64_t columns) {
    FOR_COLUMNS(c, W, columns) {
        auto value = load<W>(d.row(blockIdx.x) + c);
        auto at = load<W>(x.row(blockIdx.x) + c);
        auto b = load<W>(bias + c);
        for (int i = 0; i < W; i++) {
            value.at[i] *= F()(at.at[i] + b.at[i]);
        }
        store<W>(d.row(blockIdx.x) + c, value);
    }
}

template <int W>
__global__ void __launch_bounds__(THREADS)
biasResidual(View<float> x, View<const float> y, const float* bias, int64_t columns) {
    FOR_COLUMNS(c, W, columns) {
        auto value = load<W>(x.row(blockIdx.x) + c);
        auto add = load<W>(y.row(blockIdx.x) + c);
        auto b = load<W>(bias + c);
        for (int i = 0; i < W; i++) {
            value.at[i] += add.at[i] + b.at[i];
        }
        store<W>(x.row(blockIdx.x) + c, value);
    }
}

__global__ void __launch_bounds__(THREADS)
editCoefficients(View<float> m, const int32_t* rows, const int32_t* neurons, const float* scales, const float* shifts,
                 int64_t edits) {
    int64_t e = static_cast<int64_t>(blockIdx.x) * THREADS + threadIdx.x;
    if (e < edits) {
        float* coefficient = m.row(rows[e]) + neurons[e];
        // not 0 * itself, which may be infinite
        *coefficient = scales[e] == 0 ? shifts[e] : scales[e] * *coefficient + shifts[e];
    }
}

template <int W, class T>
__global__ void __launch_bounds__(THREADS)
shiftResidual(View<float> x, const float* shift, const int32_t* neurons, View<const T> values, int64_t columns) {
    FOR_COLUMNS(c, W, columns) {
        auto sum = load<W>(x.row(blockIdx.x) + c);
        auto value = load<W>(values.row(neurons[blockIdx.x]) + c);
        for (int i = 0; i < W; i++) {
            sum.at[i] += shift[blockIdx.x] * number(value.at[i]);
        }
        store<W>(x.row(blockIdx.x) + c, sum);
    }
}

// A block for each sub-update (row, j).
template <class T>
__global__ void __launch_bounds__(THREADS)
contributions(View<float> out, View<const int32_t> neurons, View<const float> coefficients, View<const T> values,
              View<const float> reader, int64_t count, int64_t columns) {
    int64_t r = blockIdx.x / count;
    int64_t j = blockIdx.x % count;
    const T* value = values.row(neurons.row(r)[j]);
    float sum = 0;
    for (int64_t c = threadIdx.x; c < columns; c += THREADS) {
        sum += number(value[c]) * reader.row(r)[c];
    }
    sum = blockSum(sum);
    if (threadIdx.x == 0) {
        out.row(r)[j] = coefficients.row(r)[j] * sum;
    }
}

int32_t lmdebugger_embed(const lmdebugger_matrix* x, const lmdebugger_matrix* tokens,
                         const lmdebugger_matrix* positions, const lmdebugger_matrix* ids,
                         const lmdebugger_matrix* at, lmdebugger_stream* stream) {
    if (x->rows == 0) {
        return cudaSuccess;
    }
    if (tokens->type != positions->type) {
        return cudaErrorInvalidValue;
    }
    return byType(tokens->type, [&](auto element) {
        using T = decltype(element);
        return byWidth([&](auto width) {
            auto kernel = embed<width, T>;
            return LAUNCH(stream, rowsByColumns(x, width), THREADS, kernel, view<float>(x), view<const T>(tokens),
                          view<const T>(positions), view<const int32_t>(ids).data, view<const int32_t>(at).data,
                          x->columns);
        }, x, tokens, positions);
    });
}

template <class F, class S>
static int32_t launchBias(const lmdebugger_matrix* y, const lmdebugger_matrix* x, const lmdebugger_matrix* bias,
                          lmdebugger_stream* stream) {
    if (x->rows == 0) {
        return cudaSuccess;
    }
    return byWidth([&](auto width) {
        auto kernel = addBias<width, F, S>;
        return LAUNCH(stream, rowsByColumns(x, width), THREADS, kernel, view<typename S::Type>(y), view<const float>(x),
                      view<const float>(bias).data, x->columns);
    }, y, x, bias);
}

int32_t lmdebugger_add_bias(const lmdebugger_matrix* x, const lmdebugger_matrix* bias, lmdebugger_stream* stream) {
    return launchBias<Sum, Stored<float>>(x, x, bias, stream);
}

int32_t lmdebugger_bias_gelu(const lmdebugger_matrix* y, const lmdebugger_matrix* m, const lmdebugger_matrix* bias,
                             int32_t erf, int32_t tf32, lmdebugger_stream* stream) {
    return byStored(y->type, tf32, [&](auto stored) {
        using S = decltype(stored);
        return erf ? launchBias<GeluErf, S>(y, m, bias, stream) : launchBias<Gelu, S>(y, m, bias, stream);
    });
}

template <class F>
static int32_t launchSlope(const lmdebugger_matrix* d, const lmdebugger_matrix* x, const lmdebugger_matrix* bias,
                           lmdebugger_stream* stream) {
    return byWidth([&](auto width) {
        auto kernel = multiplySlope<width, F>;
        return LAUNCH(stream, rowsByColumns(x, width), THREADS, kernel, view<float>(d), view<const float>(x),
                      view<const float>(bias).data, x->columns);
    }, d, x, bias);
}

int32_t lmdebugger_bias_gelu_backward(const lmdebugger_matrix* dm, const lmdebugger_matrix* m,
                                      const lmdebugger_matrix* bias, int32_t erf, lmdebugger_stream* stream) {
    if (m->rows == 0) {
        return cudaSuccess;
    }
    return erf ? launchSlope<GeluErfSlope>(dm, m, bias, stream) : launchSlope<GeluSlope>(dm, m, bias, stream);
}

int32_t lmdebugger_bias_residual(const lmdebugger_matrix* x, const lmdebugger_matrix* y, const lmdebugger_matrix* bias,
                                 lmdebugger_stream* stream) {
    if (x->rows == 0) {
        return cudaSuccess;
    }
    return byWidth([&](auto width) {
        auto kernel = biasResidual<width>;
        return LAUNCH(stream, rowsByColumns(x, width), THREADS, kernel, view<float>(x), view<const float>(y),
                      view<const float>(bias).data, x->columns);
    }, x, y, bias);
}

int32_t lmdebugger_edit_coefficients(const lmdebugger_matrix* m, const lmdebugger_matrix* rows,
                                     const lmdebugger_matrix* neurons, const lmdebugger_matrix* scales,
                                     const lmdebugger_matrix* shifts, lmdebugger_stream* stream) {
    if (rows->columns == 0) {
        return cudaSuccess;
    }
    unsigned grid = static_cast<unsigned>((rows->columns + THREADS - 1) / THREADS);
    return LAUNCH(stream, grid, THREADS, editCoefficients, view<float>(m), view<const int32_t>(rows).data,
                  view<const int32_t>(neurons).data, view<const float>(scales).data, view<const float>(shifts).data,
                  rows->columns);
}

int32_t lmdebugger_shift_residual(const lmdebugger_matrix* x, const lmdebugger_matrix* shift,
                                  const lmdebugger_matrix* neurons, const lmdebugger_matrix* values,
                                  lmdebugger_stream* stream) {
    if (x->rows == 0) {
        return cudaSuccess;
    }
    return byType(values->type, [&](auto element) {
        using T = decltype(element);
        return byWidth([&](auto width) {
            auto kernel = shiftResidual<width, T>;
            return LAUNCH(stream, rowsByColumns(x, width), THREADS, kernel, view<float>(x),
                          view<const float>(shift).data, view<const int32_t>(neurons).data, view<const T>(values),
                          x->columns);
        }, x, values);
    });
}

int32_t lmdebugger_contributions(const lmdebugger_matrix* out, const lmdebugger_matrix* neurons,
                                 const lmdebugger_matrix* coefficients, const lmdebugger_matrix* values,
                                 const lmdebugger_matrix* reader, lmdebugger_stream* stream) {
    if (out->rows == 0 || out->columns == 0) {
        return cudaSuccess;
    }
    return byType(values->type, [&](auto element) {
        using T = decltype(element);
        auto kernel = contributions<T>;
        unsigned grid = static_cast<unsigned>(out->rows * out->columns);
        return LAUNCH(stream, grid, THREADS, kernel, view<float>(out), view<const int32_t>(neurons),
                      view<const float>(coefficients), view<const T>(values), view<const float>(reader), out->columns,
                      reader->columns);
    });
}
