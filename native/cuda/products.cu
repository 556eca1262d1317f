// Products of up to 16 rows with a matrix of weights, which are read once, and the operation that follows; of a single row,
// the LayerNorm before it, too. A block computes 16 neighbouring columns of all rows; its threads divide the inner dimension into slices, whose sums are added in
// order. So a row's bits do not depend on the rows beside it.
#include "gelu.cuh"
#include "norms.cuh"

constexpr int MOST = 16; // rows
constexpr int COLUMNS = 16; // of a block

enum class Rounding { NONE, TF32, BF16 };

// What becomes of a product's elements: they are stored; with a residual, it grows by them and the bias; without, the bias
// is added, and the activation applied, before they are stored.
struct Then {
    View<float> c;
    View<float> residual;
    const float* bias;
    int32_t gelu;

    __device__ void operator()(int r, int column, float product) const {
        if (residual.data != nullptr) {
            c.row(r)[column] = product;
            residual.row(r)[column] += product + bias[column];
            return;
        }
        float z = bias == nullptr ? product : product + bias[column];
        c.row(r)[column] = gelu == 1 ? Gelu()(z) : gelu == 2 ? GeluErf()(z) : z;
    }
};

// The LayerNorm that gives the product's first operand, of one row; none if x is null. Each block computes the row, to the
// same bits, and writes it for itself.
struct Before {
    float* y;
    const float* x;
    const float* gain;
    const float* bias;
    float epsilon;
    bool packs;

    __device__ void operator()(int columns) const {
        if (packs) {
            normalise<4, Stored<float>>(y, x, gain, bias, columns, epsilon);
        } else {
            normalise<1, Stored<float>>(y, x, gain, bias, columns, epsilon);
        }
        __syncthreads();
    }
};

template <Rounding R>
__device__ float operand(float value) {
    if constexpr (R == Rounding::TF32) {
        return tf32(value);
    } else if constexpr (R == Rounding::BF16) {
        return number(rounded<__nv_bfloat16>(value));
    } else {
        return value;
    }
}

// K neighbours of the inner dimension at once, in which `inner` is a multiple of K, and W columns, in which `columns` is.
template <int ROWS, int K, int W, Rounding R, class T>
__global__ void __launch_bounds__(THREADS, 1)
multiplyFew(Before before, Then then, View<const float> a, View<const T> b, int rows, int inner, int columns) {
    constexpr int PACKS = COLUMNS / W, SLICES = THREADS / PACKS;
    __shared__ float sums[SLICES][COLUMNS];
    int left = threadIdx.x % PACKS * W, slice = threadIdx.x / PACKS;
    int first = blockIdx.x * COLUMNS;
    int column = first + left;
    if (ROWS == 1 && before.x != nullptr) {
        before(inner);
    }
    float sum[ROWS][W] = {};
#pragma unroll 3 // so that as many packs are read before the first is used
    for (int k = slice * K; k < inner && column < columns; k += SLICES * K) {
        Pack<T, W> weights[K];
        for (int j = 0; j < K; j++) {
            weights[j] = load<W>(b.row(k + j) + column);
        }
#pragma unroll
        for (int r = 0; r < ROWS && r < rows; r++) {
            auto factors = load<K>(a.row(r) + k);
            for (int j = 0; j < K; j++) {
                float factor = operand<R>(factors.at[j]);
                for (int i = 0; i < W; i++) {
                    sum[r][i] += factor * number(weights[j].at[i]);
                }
            }
        }
    }
#pragma unroll // so that sums stay in registers
    for (int r = 0; r < ROWS && r < rows; r++) {
        __syncthreads(); // until the sums of the row before have been read
        for (int i = 0; i < W; i++) {
            sums[slice][left + i] = sum[r][i];
        }
        __syncthreads();
        column = first + threadIdx.x;
        if (threadIdx.x < COLUMNS && column < columns) {
            float product = 0;
            for (int s = 0; s < SLICES; s++) {
                product += sums[s][threadIdx.x];
            }
            then(r, column, product);
        }
    }
}

template <int K, int W, Rounding R, class T>
static int32_t byRows(Before before, Then then, const lmdebugger_matrix* a, const lmdebugger_matrix* b, lmdebugger_stream* stream) {
    auto launch = [&](auto rows) {
        auto kernel = multiplyFew<rows, K, W, R, T>;
        return LAUNCH(stream, parts(b->columns, COLUMNS, INT32_MAX), THREADS, kernel, before, then, view<const float>(a),
                      view<const T>(b), static_cast<int>(a->rows), static_cast<int>(a->columns),
                      static_cast<int>(b->columns));
    };
    return a->rows == 1 ? launch(std::integral_constant<int, 1>())
         : a->rows <= 4 ? launch(std::integral_constant<int, 4>())
                        : launch(std::integral_constant<int, MOST>());
}

template <Rounding R, class T>
static int32_t byPacks(Before before, Then then, const lmdebugger_matrix* a, const lmdebugger_matrix* b, lmdebugger_stream* stream) {
    constexpr int W = 16 / sizeof(T);
    bool packs = a->columns % 4 == 0 && a->stride % 4 == 0 && a->address % 16 == 0 // whatever the number of rows
                 && b->columns % W == 0 && b->stride % W == 0 && b->address % 16 == 0;
    return packs ? byRows<4, W, R, T>(before, then, a, b, stream) : byRows<1, 1, R, T>(before, then, a, b, stream);
}

int32_t lmdebugger_multiply_few(const lmdebugger_matrix* c, const lmdebugger_matrix* residual,
                                const lmdebugger_matrix* a, const lmdebugger_matrix* b, const lmdebugger_matrix* bias,
                                const lmdebugger_matrix* x, const lmdebugger_matrix* gain,
                                const lmdebugger_matrix* norm_bias, float epsilon, int32_t tf32, int32_t gelu,
                                lmdebugger_stream* stream) {
    if (a->rows > MOST || (x != nullptr && a->rows != 1)) {
        return cudaErrorInvalidValue;
    }
    if (c->rows == 0 || c->columns == 0) {
        return cudaSuccess;
    }
    Before before{view<float>(a).data, view<const float>(x).data, view<const float>(gain).data,
                  view<const float>(norm_bias).data, epsilon,
                  x != nullptr && fours(a) && fours(x) && fours(gain) && fours(norm_bias)}; // as lmdebugger_layer_norm
    Then then{view<float>(c), view<float>(residual), view<const float>(bias).data, gelu};
    switch (b->type) {
        case LMDEBUGGER_F32:
            return tf32 != 0 ? byPacks<Rounding::TF32, float>(before, then, a, b, stream)
                             : byPacks<Rounding::NONE, float>(before, then, a, b, stream);
        case LMDEBUGGER_BF16: return byPacks<Rounding::BF16, __nv_bfloat16>(before, then, a, b, stream);
        default: return cudaErrorInvalidValue;
    }
}
