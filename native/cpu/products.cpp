// Matrix products with vectors of LANES floats; compiled once for each width.
//
// Few rows: B is read where it lies, sixteen rows side by side from one end to the other, and the next sixteen are
// fetched ahead; the sums, which are few, are read and written again for each sixteen. With Bᵀ, as many rows of B as a
// vector has lanes are transposed in registers, and the sums stay there. More rows: blocks of B are copied so that they
// stay in the L2 cache in the order in which a tile of C reads them, while the next block is fetched ahead. All add the
// products of an element in the order of k, each with one rounding, so that they give the same bits.
#include "products.h"

#include <cstring>
#include <utility>

namespace {

typedef float Vector __attribute__((vector_size(4 * LANES), aligned(4), may_alias)); // at any address

constexpr int LINE = 16; // floats of a cache line
// A tile of C is kept in registers: 32 of them, or AVX2's 16. A block of B takes half a small L2 cache.
constexpr int ROWS = LANES == 16 ? 9 : 4; // of a tile
constexpr int VECTORS = 3;               // in a row of a tile
constexpr int COLUMNS = VECTORS * LANES;
constexpr int DEPTH = LANES == 16 ? 384 : 256; // of a block, along k
constexpr int WIDTH = LANES == 16 ? 384 : 240; // of a block of B
constexpr int HEIGHT = 1008;                   // of a block of A
static_assert(WIDTH % COLUMNS == 0 && HEIGHT % ROWS == 0);
static_assert(4 * (int64_t(DEPTH) * WIDTH + int64_t(DEPTH) * HEIGHT) <= SCRATCH);

constexpr int FEW = 20;                          // rows of A, for which B is read where it lies
constexpr int FEW_TRANSPOSED = LANES;            // the same for Bᵀ; their sums fill half of the registers
constexpr int SIDE_BY_SIDE = 16;                 // rows of B
constexpr int LINES = LINE / LANES;              // vectors of a cache line
constexpr int STRIP_ROWS = LANES == 16 ? 16 : 6; // of A, that are computed together

// Not the standard library's: the linker could take the instance of another width's instructions.
constexpr int least(int64_t a, int64_t b) {
    return int(a < b ? a : b);
}

inline Vector load(const float *from) {
    return *reinterpret_cast<const Vector *>(from);
}

inline void store(float *to, Vector x) {
    *reinterpret_cast<Vector *>(to) = x;
}

/** Copies rows of A so that a column's elements lie together: to [k, rows]. */
inline void pack_rows(float *to, const float *a, int64_t stride, int rows, int k) {
    for (int l = 0; l < k; l++) {
        for (int i = 0; i < rows; i++) {
            to[int64_t(l) * rows + i] = a[i * stride + l];
        }
    }
}

void pack_a(float *to, const float *a, int64_t stride, int rows, int k) {
    if (rows == ROWS) {
        pack_rows(to, a, stride, ROWS, k); // a constant, for which the loop is unrolled
    } else {
        pack_rows(to, a, stride, rows, k);
    }
}

/** Copies columns of B, at most COLUMNS, padded with zeros: to [k, COLUMNS]. */
void pack_b(float *to, const float *b, int64_t stride, int k, int columns) {
    if (columns < COLUMNS) {
        for (int l = 0; l < k; l++) {
            std::memset(to + int64_t(l) * COLUMNS, 0, sizeof(float) * COLUMNS);
            std::memcpy(to + int64_t(l) * COLUMNS, b + l * stride, sizeof(float) * columns);
        }
        return;
    }
    for (int l = 0; l < k; l++) {
        for (int v = 0; v < VECTORS; v++) {
            store(to + int64_t(l) * COLUMNS + v * LANES, load(b + l * stride + v * LANES));
        }
    }
}

/** Exchanges halves of pairs of rows that lie HALF apart: a step of a transposition. */
template <int HALF, int... LANE>
inline void exchange(Vector (&x)[LANES], std::integer_sequence<int, LANE...>) {
    typedef int Lanes __attribute__((vector_size(4 * LANES)));
    constexpr Lanes LOW = {(LANE & HALF ? LANES + LANE - HALF : LANE)...};
    constexpr Lanes HIGH = {(LANE & HALF ? LANES + LANE : LANE + HALF)...};
#pragma GCC unroll 16
    for (int i = 0; i < LANES; i++) {
        if (!(i & HALF)) {
            const Vector upper = x[i], lower = x[i + HALF];
            x[i] = __builtin_shuffle(upper, lower, LOW);
            x[i + HALF] = __builtin_shuffle(upper, lower, HIGH);
        }
    }
}

/** Transposes LANES × LANES floats. */
template <int HALF = 1>
inline void transpose(Vector (&x)[LANES]) {
    if constexpr (HALF < LANES) {
        exchange<HALF>(x, std::make_integer_sequence<int, LANES>());
        transpose<2 * HALF>(x);
    }
}

/** Copies rows of Bᵀ, at most COLUMNS, as columns, padded with zeros: to [k, COLUMNS]. */
void pack_transposed(float *to, const float *b, int64_t stride, int k, int rows) {
    const int whole = rows < COLUMNS ? 0 : k / LANES * LANES;
    for (int l = 0; l < whole; l += LANES) {
        for (int r = 0; r < COLUMNS; r += LANES) {
            Vector x[LANES];
#pragma GCC unroll 16
            for (int i = 0; i < LANES; i++) {
                x[i] = load(b + (r + i) * stride + l);
            }
            transpose(x);
#pragma GCC unroll 16
            for (int i = 0; i < LANES; i++) {
                store(to + int64_t(l + i) * COLUMNS + r, x[i]);
            }
        }
    }
    for (int l = whole; l < k; l++) {
        for (int r = 0; r < COLUMNS; r++) {
            to[int64_t(l) * COLUMNS + r] = r < rows ? b[r * stride + l] : 0;
        }
    }
}

/** Where the next columns of B, or rows of Bᵀ, lie that are fetched ahead; null: nowhere. */
struct Ahead {
    const float *from;
    int64_t stride;
    bool transposed;
};

/** Computes a tile of M rows and COLUMNS columns: c = a·b, or c += a·b. Packed: a [k, M], b [k, COLUMNS]. */
template <int M>
void tile(float *c, int64_t c_stride, const float *a, const float *b, int k, bool accumulate, Ahead ahead,
        const float *next) {
    Vector sums[M][VECTORS];
    for (int i = 0; i < M; i++) {
        for (int v = 0; v < VECTORS; v++) {
            sums[i][v] = accumulate ? load(c + i * c_stride + v * LANES) : Vector {};
        }
    }
    for (int i = 0; i < M; i++) {
        for (int j = 0; j < COLUMNS; j += LINE) {
            __builtin_prefetch(next + i * c_stride + j, 1, 3);
        }
    }
    const auto step = [&](int l) __attribute__((always_inline)) {
        Vector x[VECTORS];
        for (int v = 0; v < VECTORS; v++) {
            x[v] = load(b + int64_t(l) * COLUMNS + v * LANES);
        }
#pragma GCC unroll 16
        for (int i = 0; i < M; i++) {
#pragma GCC unroll 4
            for (int v = 0; v < VECTORS; v++) {
                sums[i][v] += a[int64_t(l) * M + i] * x[v];
            }
        }
    };
    if (ahead.from && ahead.transposed) {
        for (int l = 0; l < k; l++) {
            for (int r = 0; r < COLUMNS; r += LINE) {
                __builtin_prefetch(ahead.from + (r + l % LINE) * ahead.stride + l / LINE * LINE, 0, 2);
            }
            step(l);
        }
    } else if (ahead.from) {
        for (int l = 0; l < k; l++) {
            for (int j = 0; j < COLUMNS; j += LINE) {
                __builtin_prefetch(ahead.from + l * ahead.stride + j, 0, 2);
            }
            step(l);
        }
    } else {
        for (int l = 0; l < k; l++) {
            step(l);
        }
    }
    for (int i = 0; i < M; i++) {
        for (int v = 0; v < VECTORS; v++) {
            store(c + i * c_stride + v * LANES, sums[i][v]);
        }
    }
}

using Tile = void (*)(float *, int64_t, const float *, const float *, int, bool, Ahead, const float *);

template <int M>
Tile tile_of(int rows) {
    if constexpr (M == 0) {
        return nullptr;
    } else {
        return rows == M ? tile<M> : tile_of<M - 1>(rows);
    }
}

/** Computes a tile that has fewer columns, by one that has all. */
void narrow_tile(Tile whole, float *c, int64_t c_stride, const float *a, const float *b, int rows, int columns, int k,
        bool accumulate) {
    float all[ROWS * COLUMNS] = {};
    for (int i = 0; accumulate && i < rows; i++) {
        std::memcpy(all + i * COLUMNS, c + i * c_stride, sizeof(float) * columns);
    }
    whole(all, COLUMNS, a, b, k, accumulate, {}, all);
    for (int i = 0; i < rows; i++) {
        std::memcpy(c + i * c_stride, all + i * COLUMNS, sizeof(float) * columns);
    }
}

/** Computes a product by blocks of B that are copied. */
void by_blocks(const Product &p) {
    float *const left = p.scratch, *const right = left + int64_t(DEPTH) * HEIGHT;
    const int width = p.transposed ? COLUMNS : WIDTH; // of a block of B
    for (int64_t top = 0; top < p.m; top += HEIGHT) {
        const int m = least(HEIGHT, p.m - top);
        const int tiles = (m + ROWS - 1) / ROWS, height = (m + tiles - 1) / tiles;
        for (int64_t at = 0; at < p.k; at += DEPTH) {
            const int k = least(DEPTH, p.k - at);
            const bool accumulate = p.accumulate || at > 0;
            for (int i = 0; i < m; i += height) {
                pack_a(left + int64_t(i) * k, p.a + (top + i) * p.a_stride + at, p.a_stride, least(height, m - i), k);
            }
            for (int64_t first = 0; first < p.n; first += width) {
                const int n = least(width, p.n - first);
                for (int j = 0; j < n; j += COLUMNS) {
                    float *const to = right + int64_t(j) * k;
                    const int columns = least(COLUMNS, n - j);
                    if (p.transposed) {
                        pack_transposed(to, p.b + (first + j) * p.b_stride + at, p.b_stride, k, columns);
                    } else {
                        pack_b(to, p.b + at * p.b_stride + first + j, p.b_stride, k, columns);
                    }
                }
                Ahead ahead {nullptr, p.b_stride, p.transposed};
                if (p.transposed) {
                    ahead.from = first + 2 * n <= p.n ? p.b + (first + n) * p.b_stride + at : nullptr;
                } else {
                    ahead.from = first + n < p.n ? p.b + at * p.b_stride + first + n
                            : at + k < p.k       ? p.b + (at + k) * p.b_stride
                                                 : nullptr;
                }
                for (int i = 0; i < m; i += height) {
                    const int rows = least(height, m - i);
                    const Tile whole = tile_of<ROWS>(rows);
                    for (int j = 0; j < n; j += COLUMNS) {
                        float *const c = p.c + (top + i) * p.c_stride + first + j;
                        const float *const a = left + int64_t(i) * k, *const b = right + int64_t(j) * k;
                        if (n - j < COLUMNS) {
                            narrow_tile(whole, c, p.c_stride, a, b, rows, n - j, k, accumulate);
                        } else {
                            whole(c, p.c_stride, a, b, k, accumulate,
                                    i == 0 && ahead.from ? Ahead {ahead.from + j, ahead.stride, ahead.transposed} : Ahead {},
                                    c + COLUMNS);
                        }
                    }
                }
            }
        }
    }
}

/** Computes M rows with SIDE_BY_SIDE rows of B, of which `ahead` later ones are fetched. Packed: a [k, M]. */
template <int M>
void strip(float *c, int64_t c_stride, const float *a, const float *b, int64_t b_stride, int64_t n, int rows,
        bool accumulate, int64_t ahead) {
    for (int64_t j = 0; j < n; j += LINE) {
        Vector sums[M][LINES];
        for (int i = 0; i < M; i++) {
            for (int v = 0; v < LINES; v++) {
                sums[i][v] = accumulate ? load(c + i * c_stride + j + v * LANES) : Vector {};
            }
        }
        const auto step = [&](int l) __attribute__((always_inline)) {
            const float *const from = b + l * b_stride + j;
            __builtin_prefetch(from + ahead, 0, 2);
            Vector x[LINES];
            for (int v = 0; v < LINES; v++) {
                x[v] = load(from + v * LANES);
            }
#pragma GCC unroll 16
            for (int i = 0; i < M; i++) {
                for (int v = 0; v < LINES; v++) {
                    sums[i][v] += a[l * M + i] * x[v];
                }
            }
        };
        if (rows == SIDE_BY_SIDE) {
#pragma GCC unroll 16
            for (int l = 0; l < SIDE_BY_SIDE; l++) {
                step(l);
            }
        } else {
            for (int l = 0; l < rows; l++) {
                step(l);
            }
        }
        for (int i = 0; i < M; i++) {
            for (int v = 0; v < LINES; v++) {
                store(c + i * c_stride + j + v * LANES, sums[i][v]);
            }
        }
    }
}

using Strip = void (*)(float *, int64_t, const float *, const float *, int64_t, int64_t, int, bool, int64_t);

template <int M>
Strip strip_of(int rows) {
    if constexpr (M == 0) {
        return nullptr;
    } else {
        return rows == M ? strip<M> : strip_of<M - 1>(rows);
    }
}

/** Computes a product of few rows whose columns fill cache lines, reading B where it lies. */
void by_strips(const Product &p) {
    const int m = int(p.m), strips = (m + STRIP_ROWS - 1) / STRIP_ROWS, height = (m + strips - 1) / strips;
    for (int64_t at = 0; at < p.k; at += DEPTH * 8) {
        const int k = least(DEPTH * 8, p.k - at);
        for (int i = 0; i < m; i += height) {
            pack_a(p.scratch + int64_t(i) * k, p.a + i * p.a_stride + at, p.a_stride, least(height, m - i), k);
        }
        for (int l = 0; l < k; l += SIDE_BY_SIDE) {
            const int depth = least(SIDE_BY_SIDE, k - l);
            const int64_t ahead = l + 2 * SIDE_BY_SIDE <= k ? SIDE_BY_SIDE * p.b_stride : 0;
            for (int i = 0; i < m; i += height) {
                const int rows = least(height, m - i);
                strip_of<STRIP_ROWS>(rows)(p.c + i * p.c_stride, p.c_stride,
                        p.scratch + int64_t(i) * k + int64_t(l) * rows, p.b + (at + l) * p.b_stride, p.b_stride, p.n,
                        depth, p.accumulate || at + l > 0, i == 0 ? ahead : 0);
            }
        }
    }
}

/** Computes a product with Bᵀ of M rows: LANES rows of B at a time are transposed, while the next are fetched. */
template <int M>
void by_transposed_strips(const Product p) { // a copy, which no store can change
    const int64_t whole = p.k / LANES * LANES;
    for (int64_t j = 0; j < p.n; j += LANES) {
        const float *const b = p.b + j * p.b_stride;
        const int64_t ahead = j + 2 * LANES <= p.n ? LANES * p.b_stride : 0;
        Vector sums[M];
        for (int i = 0; i < M; i++) {
            sums[i] = p.accumulate ? load(p.c + i * p.c_stride + j) : Vector {};
        }
        const auto step = [&](int64_t l, Vector x) __attribute__((always_inline)) {
#pragma GCC unroll 16
            for (int i = 0; i < M; i++) {
                sums[i] += p.a[i * p.a_stride + l] * x;
            }
        };
        for (int64_t l = 0; l < whole; l += LANES) {
            Vector x[LANES];
#pragma GCC unroll 16
            for (int r = 0; r < LANES; r++) {
                x[r] = load(b + r * p.b_stride + l);
                __builtin_prefetch(b + r * p.b_stride + l + ahead, 0, 2);
            }
            transpose(x);
#pragma GCC unroll 16
            for (int i = 0; i < LANES; i++) {
                step(l + i, x[i]);
            }
        }
        for (int64_t l = whole; l < p.k; l++) {
            Vector x;
            for (int r = 0; r < LANES; r++) {
                x[r] = b[r * p.b_stride + l];
            }
            step(l, x);
        }
        for (int i = 0; i < M; i++) {
            store(p.c + i * p.c_stride + j, sums[i]);
        }
    }
}

using TransposedStrips = void (*)(Product);

template <int M>
TransposedStrips transposed_strips_of(int rows) {
    if constexpr (M == 0) {
        return nullptr;
    } else {
        return rows == M ? by_transposed_strips<M> : transposed_strips_of<M - 1>(rows);
    }
}

} // namespace

#define NAME(lanes) NAME_OF(lanes)
#define NAME_OF(lanes) multiply##lanes

void NAME(LANES)(const Product &p) {
    if (p.k == 0 && !p.accumulate) {
        for (int64_t i = 0; i < p.m; i++) {
            std::memset(p.c + i * p.c_stride, 0, sizeof(float) * p.n);
        }
        return;
    }
    Product few = p, rest = p; // columns that are computed with B where it lies, and the others
    if (p.transposed) {
        few.n = p.m > FEW_TRANSPOSED ? 0 : p.n / LANES * LANES;
        rest.b += few.n * p.b_stride;
    } else {
        few.n = p.m > FEW ? 0 : p.n / LINE * LINE;
        rest.b += few.n;
    }
    if (few.n > 0 && p.transposed) {
        transposed_strips_of<FEW_TRANSPOSED>(int(p.m))(few);
    } else if (few.n > 0) {
        by_strips(few);
    }
    rest.n = p.n - few.n;
    rest.c += few.n;
    if (rest.n > 0) {
        by_blocks(rest);
    }
}
