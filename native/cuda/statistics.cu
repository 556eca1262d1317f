// Measures of rows of logits: a block for each row, or for some, where there are many.
#include "logits.cuh"

constexpr int TOGETHER = 2; // rows of a block, if there are many
constexpr int64_t MANY = 512; // then there are still two blocks for nearly each multiprocessor of the largest cards

struct Outputs {
    float* logSumExp;
    float* entropy;
    float* kl;
    View<float> chosen;
    View<int32_t> ranks;
};

// e^x - 1 - x >= 0, as a series where the difference would lose digits.
__device__ inline float excess(float x) {
    if (fabsf(x) < 0.5f) {
        float sum = 1.0f / 40320 * x + 1.0f / 5040;
        sum = sum * x + 1.0f / 720;
        sum = sum * x + 1.0f / 120;
        sum = sum * x + 1.0f / 24;
        sum = sum * x + 1.0f / 6;
        sum = sum * x + 1.0f / 2;
        return sum * x * x;
    }
    return expf(x) - 1 - x;
}

// KL(q || p) = log(sum q e^D) - sum q D for D = x - clean - centre, q = softmax(clean) and any centre, of R rows x. Near the
// mean of x - clean most digits of both terms cancel: then they are sum q (e^D - 1 - D) and what log1p leaves of its argument.
// A centre near it is the mean over those tokens that are the likeliest of a thread's; sum q e^D is not below their share.
template <int W, int R>
__device__ void klOf(double* kl, const float* const* x, const float* clean, int columns) {
    float largest = -FLT_MAX;
    int at = -1;
    eachPack<W>(clean, columns, [&](auto pack, int c) {
        for (int i = 0; i < pack.WIDTH; i++) {
            if (pack.at[i] > largest) {
                largest = pack.at[i];
                at = c + i;
            }
        }
    });
    float max = blockMax(largest);
    float share = at < 0 ? 0 : expf(largest - max);
    float shares = blockSum(share);
    float centre[R], mean[R], rest[R];
    for (int r = 0; r < R; r++) {
        centre[r] = blockSum(at < 0 ? 0 : share * (x[r][at] - largest)) / shares;
        mean[r] = rest[r] = 0;
    }
    float mass = 0;
    eachPack<W>(clean, columns, [&](auto base, int c) {
        constexpr int WIDTH = decltype(base)::WIDTH;
        Pack<float, WIDTH> packs[R];
        for (int r = 0; r < R; r++) {
            packs[r] = load<WIDTH>(x[r] + c);
        }
        for (int i = 0; i < WIDTH; i++) {
            float q = expf(base.at[i] - max);
            mass += q;
            for (int r = 0; r < R; r++) {
                float delta = packs[r].at[i] - base.at[i] - centre[r];
                mean[r] += q * delta;
                rest[r] += q * excess(delta);
            }
        }
    });
    double all = blockSum(static_cast<double>(mass));
    for (int r = 0; r < R; r++) {
        double b = blockSum(static_cast<double>(mean[r])) / all;
        double a = blockSum(static_cast<double>(rest[r])) / all;
        double e = a + b;
        kl[r] = fabs(e) < 0.5 ? a - (e - log1p(e)) : log1p(e) - b;
    }
}

template <int W>
__device__ int rankOf(const float* x, int columns, float logit) {
    int larger = 0;
    eachPack<W>(x, columns, [&](auto pack, int) {
        for (int i = 0; i < pack.WIDTH; i++) {
            larger += pack.at[i] > logit;
        }
    });
    return blockSum(larger);
}

// Measures of one row, but for KL.
template <int W>
__device__ void measureAlone(const Outputs& out, int64_t row, const float* x, const int32_t* tokens, int columns, int64_t chosen) {
    bool first = threadIdx.x == 0;
    if (out.logSumExp != nullptr || out.entropy != nullptr) {
        Exponentials own;
        eachPack<W>(x, columns, [&](auto pack, int) { own.add(pack); });
        Softmax softmax(own);
        double entropy = softmax.entropy();
        if (first && out.logSumExp != nullptr) {
            out.logSumExp[row] = static_cast<float>(softmax.logSumExp());
        }
        if (first && out.entropy != nullptr) {
            out.entropy[row] = static_cast<float>(entropy);
        }
    }
    for (int64_t j = 0; j < chosen; j++) {
        float logit = x[tokens[j]];
        if (first && out.chosen.data != nullptr) {
            out.chosen.row(row)[j] = logit;
        }
        if (out.ranks.data != nullptr) {
            int rank = rankOf<W>(x, columns, logit);
            if (first) {
                out.ranks.row(row)[j] = rank;
            }
        }
    }
}

// A block measures R rows, whose KL is from the same clean row: its exponentials are computed once for all.
template <int W, int R>
__global__ void __launch_bounds__(THREADS)
measure(Outputs out, View<const float> logits, int64_t rows, const float* clean, const int32_t* tokens, int columns,
        int64_t chosen) {
    int64_t row = static_cast<int64_t>(blockIdx.x) * R;
    if (out.kl != nullptr) {
        const float* x[R];
        for (int r = 0; r < R; r++) {
            x[r] = logits.row(row + r < rows ? row + r : row);
        }
        double kl[R];
        klOf<W, R>(kl, x, clean, columns);
        for (int r = 0; r < R && row + r < rows; r++) {
            if (threadIdx.x == 0) {
                out.kl[row + r] = static_cast<float>(kl[r]);
            }
        }
    }
    for (int r = 0; r < R && row + r < rows; r++) {
        measureAlone<W>(out, row + r, logits.row(row + r), tokens, columns, chosen);
    }
}

int32_t lmdebugger_measure(const lmdebugger_matrix* log_sum_exp, const lmdebugger_matrix* entropy,
                           const lmdebugger_matrix* kl, const lmdebugger_matrix* chosen,
                           const lmdebugger_matrix* ranks, const lmdebugger_matrix* logits,
                           const lmdebugger_matrix* clean, const lmdebugger_matrix* tokens, lmdebugger_stream* stream) {
    if (logits->rows == 0) {
        return cudaSuccess;
    }
    Outputs out{view<float>(log_sum_exp).data, view<float>(entropy).data, view<float>(kl).data, view<float>(chosen),
                view<int32_t>(ranks)};
    int64_t together = kl != nullptr && logits->rows >= MANY ? TOGETHER : 1;
    return byAlignment([&](auto width) {
        auto kernel = together == 1 ? measure<width, 1> : measure<width, TOGETHER>;
        return LAUNCH(stream, static_cast<unsigned>((logits->rows + together - 1) / together), THREADS, kernel, out,
                      view<const float>(logits), logits->rows, view<const float>(clean).data,
                      view<const int32_t>(tokens).data, logits->columns, tokens == nullptr ? 0 : tokens->columns);
    }, logits, clean);
}
