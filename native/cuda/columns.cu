// Sums over rows, and statistics of columns: each number in FP64, row after row. Columns are independent.
#include "common.cuh"

constexpr int BINS = 64;
constexpr int AHEAD = 16; // rows that a thread reads before it adds the first, so that it waits for memory once
constexpr int COLUMNS = 32; // of a block, one a thread, whose histograms fit into shared memory

__global__ void __launch_bounds__(THREADS)
addRows(View<double> sums, View<const float> x, const int32_t* starts, const int32_t* rows, int64_t columns) {
    int64_t c = static_cast<int64_t>(blockIdx.y) * THREADS + threadIdx.x;
    int from = starts[blockIdx.x], to = starts[blockIdx.x + 1];
    if (c < columns && from != to) {
        double sum = sums.row(blockIdx.x)[c];
        int j = from;
        for (; j + AHEAD <= to; j += AHEAD) {
            float values[AHEAD];
            for (int i = 0; i != AHEAD; i++) {
                values[i] = x.row(rows[j + i])[c];
            }
            for (int i = 0; i != AHEAD; i++) {
                sum += values[i];
            }
        }
        for (; j < to; j++) {
            sum += x.row(rows[j])[c];
        }
        sums.row(blockIdx.x)[c] = sum;
    }
}

// The bin of org.lmdebugger.device.Histogram.
__device__ inline int binOf(float x) {
    constexpr int SIDE = BINS / 2, HALF_OCTAVE = 22, FIRST = (127 - 8) << 1;
    int bits = static_cast<int>(__float_as_uint(x));
    int size = ((bits & 0x7fffffff) >> HALF_OCTAVE) - FIRST + 1;
    int bin = size < 0 ? 0 : size < SIDE - 1 ? size : SIDE - 1;
    return bits > 0 ? SIDE + bin : SIDE - 1 - bin;
}

__global__ void __launch_bounds__(COLUMNS)
accumulate(double* sums, double* squares, float* min, float* max, View<int32_t> histograms, View<const float> x,
           int64_t rows, int64_t columns) {
    __shared__ int32_t counts[BINS][COLUMNS]; // each column is one thread's
    int64_t c = static_cast<int64_t>(blockIdx.x) * COLUMNS + threadIdx.x;
    if (c >= columns) {
        return;
    }
    for (int bin = 0; bin != BINS; bin++) {
        counts[bin][threadIdx.x] = 0;
    }
    double sum = sums[c], square = squares[c];
    float low = min[c], high = max[c];
    auto add = [&](float value) {
        double wide = value;
        sum += wide;
        square += wide * wide;
        low = value < low || value != value ? value : low;
        high = value > high || value != value ? value : high;
        counts[binOf(value)][threadIdx.x]++;
    };
    int64_t r = 0;
    for (; r + AHEAD <= rows; r += AHEAD) {
        float values[AHEAD];
        for (int i = 0; i != AHEAD; i++) {
            values[i] = x.row(r + i)[c];
        }
        for (int i = 0; i != AHEAD; i++) {
            add(values[i]);
        }
    }
    for (; r < rows; r++) {
        add(x.row(r)[c]);
    }
    sums[c] = sum;
    squares[c] = square;
    min[c] = low;
    max[c] = high;
    for (int bin = 0; bin != BINS; bin++) {
        histograms.row(c)[bin] += counts[bin][threadIdx.x];
    }
}

int32_t lmdebugger_add_rows(const lmdebugger_matrix* sums, const lmdebugger_matrix* x, const lmdebugger_matrix* starts,
                            const lmdebugger_matrix* rows, lmdebugger_stream* stream) {
    if (sums->rows == 0 || sums->columns == 0) {
        return cudaSuccess;
    }
    dim3 grid(static_cast<unsigned>(sums->rows), parts(sums->columns, THREADS, 65535));
    return LAUNCH(stream, grid, THREADS, addRows, view<double>(sums), view<const float>(x),
                  view<const int32_t>(starts).data, view<const int32_t>(rows).data, sums->columns);
}

int32_t lmdebugger_accumulate(const lmdebugger_matrix* sums, const lmdebugger_matrix* squares,
                              const lmdebugger_matrix* min, const lmdebugger_matrix* max,
                              const lmdebugger_matrix* histograms, const lmdebugger_matrix* x,
                              lmdebugger_stream* stream) {
    if (x->rows == 0 || x->columns == 0) {
        return cudaSuccess;
    }
    return LAUNCH(stream, static_cast<unsigned>((x->columns + COLUMNS - 1) / COLUMNS), COLUMNS, accumulate,
                  view<double>(sums).data, view<double>(squares).data, view<float>(min).data, view<float>(max).data,
                  view<int32_t>(histograms), view<const float>(x), x->rows, x->columns);
}
