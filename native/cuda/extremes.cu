// The largest and smallest numbers of columns over windows of documents: a warp for each column.
#include "order.cuh"

struct Lists {
    View<float> values;
    View<int32_t> documents;
    View<int32_t> places;
    View<float> contexts;
    int k;
    int span;
};

// The numbers that a warp reads: those of a column.
struct Column {
    View<const float> x;
    View<const int32_t> windows;
    int column;
    int length; // of a window

    __device__ float at(int window, int position) const {
        return x.row(static_cast<int64_t>(window) * length + position)[column];
    }
};

// A list of the largest numbers, or of the smallest, whose negatives are kept; entry i in lane i.
class List {
    const Lists& lists;
    const Column& column;
    int64_t row;
    float sign; // 1, or −1 for the smallest
    int lane = threadIdx.x % 32;
    float value = 0;
    int document = -1;
    int place = 0;
    int origin = lane; // the entry's number before the merge, or k + its window

public:
    __device__ List(const Lists& lists, const Column& column, int64_t row, float sign)
        : lists(lists), column(column), row(row), sign(sign) {
        if (lane < lists.k) {
            value = sign * lists.values.row(row)[lane];
            document = lists.documents.row(row)[lane];
            place = lists.places.row(row)[lane];
        }
    }

    // Takes the best number of a window, if it belongs to the best of all documents.
    __device__ void offer(int window, int position) {
        float newValue = sign * column.at(window, position);
        int newDocument = column.windows.row(window)[0], newPlace = column.windows.row(window)[1] + position;
        bool before = value != newValue ? value > newValue
                    : document != newDocument ? document < newDocument
                                              : place < newPlace;
        int at = __popc(__ballot_sync(ALL, document >= 0 && before));
        unsigned same = __ballot_sync(ALL, document == newDocument);
        int last = same == 0 ? lists.k - 1 : __ffs(static_cast<int>(same)) - 1;
        if (at > last) {
            return;
        }
        float value1 = __shfl_up_sync(ALL, value, 1);
        int document1 = __shfl_up_sync(ALL, document, 1), place1 = __shfl_up_sync(ALL, place, 1);
        int origin1 = __shfl_up_sync(ALL, origin, 1);
        if (lane > at && lane <= last) {
            value = value1;
            document = document1;
            place = place1;
            origin = origin1;
        } else if (lane == at) {
            value = newValue;
            document = newDocument;
            place = newPlace;
            origin = lists.k + window;
        }
    }

    __device__ void write() {
        if (!__any_sync(ALL, origin != lane)) {
            return; // nothing was taken
        }
        for (int entry = lists.k - 1; entry >= 0; entry--) { // entries move towards the end alone
            int from = __shfl_sync(ALL, origin, entry);
            int at = __shfl_sync(ALL, place, entry);
            float* context = lists.contexts.row(row) + static_cast<int64_t>(entry) * lists.span;
            if (from >= lists.k) {
                at -= column.windows.row(from - lists.k)[1];
                for (int i = lane; i < lists.span; i += 32) {
                    int position = at + i - lists.span / 2;
                    bool inside = position >= 0 && position < column.length;
                    context[i] = inside ? column.at(from - lists.k, position) : 0;
                }
            } else if (from != entry) {
                const float* before = lists.contexts.row(row) + from * lists.span;
                for (int i = lane; i < lists.span; i += 32) {
                    context[i] = before[i];
                }
            }
        }
        if (lane < lists.k) {
            lists.values.row(row)[lane] = sign * value;
            lists.documents.row(row)[lane] = document;
            lists.places.row(row)[lane] = place;
        }
    }
};

__device__ inline Key warpMaxKey(Key key) {
    for (int other = 16; other > 0; other /= 2) {
        Key that = __shfl_xor_sync(ALL, key, other);
        key = that > key ? that : key;
    }
    return key;
}

// A warp's neighbours read the neighbouring columns, which lie in the same lines of the cache. A grid of two rows: of the
// largest numbers, and of the smallest, as the lists of both take more registers than a thread has.
__global__ void __launch_bounds__(THREADS)
mergeExtremes(Lists lists, View<const float> x, View<const int32_t> windows, int count, int length, int columns) {
    Column column{x, windows, static_cast<int>(blockIdx.x * WARPS + threadIdx.x / 32), length};
    if (column.column >= columns) {
        return;
    }
    float sign = blockIdx.y == 0 ? 1 : -1;
    List list(lists, column, static_cast<int64_t>(blockIdx.y) * columns + column.column, sign);
    for (int w = 0; w < count; w++) {
        Key best = 0;
        for (int position = threadIdx.x % 32; position < length; position += 32) {
            Key key = keyOf(sign * column.at(w, position), position);
            best = key > best ? key : best;
        }
        int first = indexOf(warpMaxKey(best));
        float value = column.at(w, first);
        if (value == value) { // NaN would come first
            list.offer(w, first);
        }
    }
    list.write();
}

int32_t lmdebugger_merge_extremes(const lmdebugger_matrix* values, const lmdebugger_matrix* documents,
                                  const lmdebugger_matrix* places, const lmdebugger_matrix* contexts,
                                  const lmdebugger_matrix* x, const lmdebugger_matrix* windows,
                                  lmdebugger_stream* stream) {
    if (x->rows == 0 || x->columns == 0) {
        return cudaSuccess;
    }
    Lists lists{view<float>(values), view<int32_t>(documents), view<int32_t>(places), view<float>(contexts),
                static_cast<int>(values->columns), static_cast<int>(contexts->columns / values->columns)};
    dim3 grid(static_cast<unsigned>((x->columns + WARPS - 1) / WARPS), 2);
    return LAUNCH(stream, grid, THREADS, mergeExtremes, lists, view<const float>(x),
                  view<const int32_t>(windows), static_cast<int>(windows->rows),
                  static_cast<int>(x->rows / windows->rows), static_cast<int>(x->columns));
}
