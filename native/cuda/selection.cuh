// The largest keys of a row, in order, by one pass that keeps the numbers above the k-th largest so far.
#pragma once

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
    __syncthreads(); // of a row without a whole pack, the candidates may not be visible yet
    compact(keys, filled, want);
}
