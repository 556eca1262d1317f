// Measures of rows of logits: a block for each row.
#include "logits.cuh"

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

// KL(q || p) = log(sum q e^D) - sum q D for D = x - clean - centre, q = softmax(clean) and any centre. Near the mean of
// x - clean most digits of both terms cancel: then they are sum q (e^D - 1 - D) and what log1p leaves of its argument. A
// centre near it is the mean over those tokens that are the likeliest of a thread's; sum q e^D is not below their share.
template <int W>
__device__ double klOf(const float* x, const float* clean, int columns) {
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
    float centre = blockSum(at < 0 ? 0 : share * (x[at] - largest)) / blockSum(share);
    float mass = 0, mean = 0, rest = 0;
    eachPack<W>(x, columns, [&](auto pack, int c) {
        auto base = load<pack.WIDTH>(clean + c);
        for (int i = 0; i < pack.WIDTH; i++) {
            float q = expf(base.at[i] - max);
            float delta = pack.at[i] - base.at[i] - centre;
            mass += q;
            mean += q * delta;
            rest += q * excess(delta);
        }
    });
    double all = blockSum(static_cast<double>(mass));
    double b = blockSum(static_cast<double>(mean)) / all;
    double a = blockSum(static_cast<double>(rest)) / all;
    double e = a + b;
    return fabs(e) < 0.5 ? a - (e - log1p(e)) : log1p(e) - b;
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

template <int W>
__global__ void __launch_bounds__(THREADS)
measure(Outputs out, View<const float> logits, const float* clean, const int32_t* tokens, int columns,
        int64_t chosen) {
    const float* x = logits.row(blockIdx.x);
    bool first = threadIdx.x == 0;
    if (out.logSumExp != nullptr || out.entropy != nullptr) {
        Exponentials own;
        eachPack<W>(x, columns, [&](auto pack, int) { own.add(pack); });
        Softmax softmax(own);
        double entropy = softmax.entropy();
        if (first && out.logSumExp != nullptr) {
            out.logSumExp[blockIdx.x] = static_cast<float>(softmax.logSumExp());
        }
        if (first && out.entropy != nullptr) {
            out.entropy[blockIdx.x] = static_cast<float>(entropy);
        }
    }
    if (out.kl != nullptr) {
        double value = klOf<W>(x, clean, columns);
        if (first) {
            out.kl[blockIdx.x] = static_cast<float>(value);
        }
    }
    for (int64_t j = 0; j < chosen; j++) {
        float logit = x[tokens[j]];
        if (first && out.chosen.data != nullptr) {
            out.chosen.row(blockIdx.x)[j] = logit;
        }
        if (out.ranks.data != nullptr) {
            int rank = rankOf<W>(x, columns, logit);
            if (first) {
                out.ranks.row(blockIdx.x)[j] = rank;
            }
        }
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
    return byAlignment([&](auto width) {
        auto kernel = measure<width>;
        return LAUNCH(stream, static_cast<unsigned>(logits->rows), THREADS, kernel, out, view<const float>(logits),
                      view<const float>(clean).data, view<const int32_t>(tokens).data, logits->columns,
                      tokens == nullptr ? 0 : tokens->columns);
    }, logits, clean);
}
