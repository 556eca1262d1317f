// Kernels without arithmetic: moving rows, converting their types, and counting.
#include "common.cuh"

template <int W, class T>
__global__ void __launch_bounds__(THREADS)
gatherRows(View<T> to, View<const T> from, const int32_t* rows, int64_t columns) {
    int64_t source = rows == nullptr ? static_cast<int64_t>(blockIdx.x) : rows[blockIdx.x];
    int64_t step = static_cast<int64_t>(gridDim.y) * THREADS * W;
    for (int64_t c = (static_cast<int64_t>(blockIdx.y) * THREADS + threadIdx.x) * W; c < columns; c += step) {
        store<W>(to.row(blockIdx.x) + c, load<W>(from.row(source) + c));
    }
}

template <int W, class T>
__global__ void __launch_bounds__(THREADS)
scatterRows(View<T> to, View<const T> from, const int32_t* rows, int64_t columns) {
    int64_t step = static_cast<int64_t>(gridDim.y) * THREADS * W;
    for (int64_t c = (static_cast<int64_t>(blockIdx.y) * THREADS + threadIdx.x) * W; c < columns; c += step) {
        store<W>(to.row(rows[blockIdx.x]) + c, load<W>(from.row(blockIdx.x) + c));
    }
}

template <int W, class T, class S>
__global__ void __launch_bounds__(THREADS) convert(View<T> to, View<const S> from, int64_t columns) {
    int64_t step = static_cast<int64_t>(gridDim.y) * THREADS * W;
    for (int64_t c = (static_cast<int64_t>(blockIdx.y) * THREADS + threadIdx.x) * W; c < columns; c += step) {
        auto in = load<W>(from.row(blockIdx.x) + c);
        Pack<T, W> out;
        for (int i = 0; i < W; i++) {
            if constexpr (std::is_same_v<T, S>) { // F32, or BF16 that needs no rounding
                out.at[i] = rounded<T>(tf32(number(in.at[i])));
            } else {
                out.at[i] = rounded<T>(number(in.at[i]));
            }
        }
        store<W>(to.row(blockIdx.x) + c, out);
    }
}

template <int W>
__global__ void __launch_bounds__(THREADS)
split(View<float> high, View<float> again, View<float> low, View<const float> from, int64_t columns) {
    int64_t step = static_cast<int64_t>(gridDim.y) * THREADS * W;
    for (int64_t c = (static_cast<int64_t>(blockIdx.y) * THREADS + threadIdx.x) * W; c < columns; c += step) {
        auto in = load<W>(from.row(blockIdx.x) + c);
        Pack<float, W> first, rest;
        for (int i = 0; i < W; i++) {
            first.at[i] = tf32(in.at[i]);
            rest.at[i] = fabsf(first.at[i]) < INFINITY ? tf32(in.at[i] - first.at[i]) : 0;
        }
        store<W>(high.row(blockIdx.x) + c, first);
        store<W>(again.row(blockIdx.x) + c, first);
        store<W>(low.row(blockIdx.x) + c, rest);
    }
}

__global__ void __launch_bounds__(THREADS) increment(View<int32_t> counters, int64_t columns) {
    int64_t c = static_cast<int64_t>(blockIdx.y) * THREADS + threadIdx.x;
    if (c < columns) {
        counters.row(blockIdx.x)[c] += 1;
    }
}

constexpr int TILE = 32;

// A tile goes through shared memory, so that neighbouring threads read, and write, neighbouring elements.
__global__ void __launch_bounds__(THREADS)
transpose(View<float> to, View<const float> from, int64_t rows, int64_t columns) {
    __shared__ float tile[TILE][TILE + 1]; // rows begin at different banks
    int64_t left = static_cast<int64_t>(blockIdx.x) * TILE, top = static_cast<int64_t>(blockIdx.y) * TILE;
    int across = threadIdx.x % TILE;
    for (int down = threadIdx.x / TILE; down < TILE; down += THREADS / TILE) {
        if (top + down < rows && left + across < columns) {
            tile[down][across] = from.row(top + down)[left + across];
        }
    }
    __syncthreads();
    for (int down = threadIdx.x / TILE; down < TILE; down += THREADS / TILE) {
        if (left + down < columns && top + across < rows) {
            to.row(left + down)[top + across] = tile[across][down];
        }
    }
}

static bool empty(const lmdebugger_matrix* m) {
    return m->rows == 0 || m->columns == 0;
}

// Calls f with an object as large as an element.
template <class F>
static int32_t bySize(int32_t type, F f) {
    return type == LMDEBUGGER_F32 || type == LMDEBUGGER_I32 ? f(uint32_t()) : f(uint16_t());
}

int32_t lmdebugger_abi(void) {
    return 11;
}

int32_t lmdebugger_gather_rows(const lmdebugger_matrix* to, const lmdebugger_matrix* from,
                               const lmdebugger_matrix* rows, lmdebugger_stream* stream) {
    if (empty(to)) {
        return cudaSuccess;
    }
    return bySize(to->type, [&](auto element) {
        using T = decltype(element);
        return byWidth([&](auto width) {
            auto kernel = gatherRows<width, T>;
            return LAUNCH(stream, rowsByColumns(to, width), THREADS, kernel, view<T>(to), view<const T>(from),
                          view<const int32_t>(rows).data, to->columns);
        }, to, from);
    });
}

int32_t lmdebugger_scatter_rows(const lmdebugger_matrix* to, const lmdebugger_matrix* from,
                                const lmdebugger_matrix* rows, lmdebugger_stream* stream) {
    if (empty(from)) {
        return cudaSuccess;
    }
    return bySize(to->type, [&](auto element) {
        using T = decltype(element);
        return byWidth([&](auto width) {
            auto kernel = scatterRows<width, T>;
            return LAUNCH(stream, rowsByColumns(from, width), THREADS, kernel, view<T>(to), view<const T>(from),
                          view<const int32_t>(rows).data, from->columns);
        }, to, from);
    });
}

template <class S>
static int32_t convertFrom(const lmdebugger_matrix* to, const lmdebugger_matrix* from, lmdebugger_stream* stream) {
    return byType(to->type, [&](auto element) {
        using T = decltype(element);
        return byWidth([&](auto width) {
            auto kernel = convert<width, T, S>;
            return LAUNCH(stream, rowsByColumns(to, width), THREADS, kernel, view<T>(to), view<const S>(from),
                          to->columns);
        }, to, from);
    });
}

int32_t lmdebugger_convert(const lmdebugger_matrix* to, const lmdebugger_matrix* from, lmdebugger_stream* stream) {
    if (empty(to)) {
        return cudaSuccess;
    }
    switch (from->type) {
        case LMDEBUGGER_F32: return convertFrom<float>(to, from, stream);
        case LMDEBUGGER_BF16: return convertFrom<__nv_bfloat16>(to, from, stream);
        case LMDEBUGGER_F16: return convertFrom<__half>(to, from, stream);
        default: return cudaErrorInvalidValue;
    }
}

int32_t lmdebugger_split(const lmdebugger_matrix* high, const lmdebugger_matrix* again, const lmdebugger_matrix* low,
                         const lmdebugger_matrix* from, lmdebugger_stream* stream) {
    if (empty(from)) {
        return cudaSuccess;
    }
    return byWidth([&](auto width) {
        auto kernel = split<width>;
        return LAUNCH(stream, rowsByColumns(from, width), THREADS, kernel, view<float>(high), view<float>(again),
                      view<float>(low), view<const float>(from), from->columns);
    }, high, again, low, from);
}

int32_t lmdebugger_increment(const lmdebugger_matrix* counters, lmdebugger_stream* stream) {
    if (empty(counters)) {
        return cudaSuccess;
    }
    dim3 grid(static_cast<unsigned>(counters->rows), parts(counters->columns, THREADS, 65535));
    return LAUNCH(stream, grid, THREADS, increment, view<int32_t>(counters), counters->columns);
}

int32_t lmdebugger_transpose(const lmdebugger_matrix* to, const lmdebugger_matrix* from, lmdebugger_stream* stream) {
    if (empty(to)) {
        return cudaSuccess;
    }
    dim3 grid(static_cast<unsigned>((from->columns + TILE - 1) / TILE),
              static_cast<unsigned>((from->rows + TILE - 1) / TILE));
    return LAUNCH(stream, grid, THREADS, transpose, view<float>(to), view<const float>(from), from->rows,
                  from->columns);
}
