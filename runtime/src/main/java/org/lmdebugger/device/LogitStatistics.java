package org.lmdebugger.device;

/**
 * The inputs and outputs of {@link Operations#measure}, computed of each row of logits; a null output is not computed.
 * Natural logarithms. With p = softmax(logits) and q = softmax(clean):
 *
 * @param tokens    the chosen tokens, [1, c]; null if neither logits nor ranks are asked for
 * @param clean     the row of logits that KL is measured from, [1, V]; null if KL is not asked for
 * @param logSumExp log Σ exp(logits), [1, R]
 * @param entropy   −Σ p·log p in nats, [1, R]
 * @param kl        KL(q ‖ p) in nats, [1, R], from centred differences Δ = logits − clean, Δ̄ = Σ q·Δ:
 *                  log1p(Σ q·expm1(Δ − Δ̄)) − Σ q·(Δ − Δ̄), which keeps its digits where it is tiny
 * @param chosen    the logits of the chosen tokens, [R, c]
 * @param ranks     for each chosen token the number of tokens with a strictly greater logit, [R, c] I32
 */
public record LogitStatistics(Tensor tokens, Tensor clean,
        Tensor logSumExp, Tensor entropy, Tensor kl, Tensor chosen, Tensor ranks) {

    /** Computes only the log-sum-exp of each row. */
    public static LogitStatistics logSumExp(Tensor logSumExp) {
        return new LogitStatistics(null, null, logSumExp, null, null, null, null);
    }

    /** Computes the log-sum-exp of each row, and logits and ranks of chosen tokens. */
    public static LogitStatistics ofTokens(Tensor tokens, Tensor logSumExp, Tensor chosen, Tensor ranks) {
        return new LogitStatistics(tokens, null, logSumExp, null, null, chosen, ranks);
    }
}
