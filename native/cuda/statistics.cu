// Measures of rows of logits: a block for each row.
#include "logits.cuh"

struct Outputs {
    float* logSumExp;
    float* entropy;
    float* kl;
    View<float> chosen;
    View<int32_t> ranks;
};

// -sum p log p = log S - sum e (x - max) / S, with e = exp(x - max) and S their sum.
__device__ inline double entropyOf(const float* x, int64_t columns) {
    float max = rowMax(x, columns);
    double sum = 0, weighted = 0;
    for (int64_t c = threadIdx.x; c < columns; c += THREADS) {
        float e = expf(x[c] - max);
        sum += e;
        weighted += e == 0 ? 0.0f : e * (x[c] - max); // 0 log 0 = 0
    }
    sum = blockSum(sum);
    return log(sum) - blockSum(weighted) / sum;
}

// log1p(sum q expm1(D - mean)) - sum q (D - mean), with D = x - clean, q = softmax(clean) and mean = sum q D: see
// org.lmdebugger.device.LogitStatistics.
__device__ inline double klOf(const float* x, const float* clean, int64_t columns) {
    float max = rowMax(clean, columns);
    double mass = 0, mean = 0;
    for (int64_t c = threadIdx.x; c < columns; c += THREADS) {
        float q = expf(clean[c] - max);
        mass += q;
        mean += static_cast<double>(q) * (x[c] - clean[c]);
    }
    mass = blockSum(mass);
    float centre = static_cast<float>(blockSum(mean) / mass);
    double excess = 0, rest = 0;
    for (int64_t c = threadIdx.x; c < columns; c += THREADS) {
        float q = expf(clean[c] - max);
        float delta = x[c] - clean[c] - centre;
        rest += static_cast<double>(q) * delta;
        excess += static_cast<double>(q) * expm1f(delta);
    }
    return log1p(blockSum(excess) / mass) - blockSum(rest) / mass;
}

__device__ inline int rankOf(const float* x, int64_t columns, float logit) {
    int larger = 0;
    for (int64_t c = threadIdx.x; c < columns; c += THREADS) {
        larger += x[c] > logit;
    }
    return blockSum(larger);
}

__global__ void __launch_bounds__(THREADS)
measure(Outputs out, View<const float> logits, const float* clean, const int32_t* tokens, int64_t columns,
        int64_t chosen) {
    const float* x = logits.row(blockIdx.x);
    bool first = threadIdx.x == 0;
    if (out.logSumExp != nullptr) {
        double value = logSumExp(x, columns);
        if (first) {
            out.logSumExp[blockIdx.x] = static_cast<float>(value);
        }
    }
    if (out.entropy != nullptr) {
        double value = entropyOf(x, columns);
        if (first) {
            out.entropy[blockIdx.x] = static_cast<float>(value);
        }
    }
    if (out.kl != nullptr) {
        double value = klOf(x, clean, columns);
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
            int rank = rankOf(x, columns, logit);
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
    return LAUNCH(stream, static_cast<unsigned>(logits->rows), THREADS, measure, out, view<const float>(logits),
                  view<const float>(clean).data, view<const int32_t>(tokens).data, logits->columns,
                  tokens == nullptr ? 0 : tokens->columns);
}
