#!/usr/bin/env python3
"""Prints what llama.cpp would report of two runs whose logits src/measure/token_statistics_test.cpp makes, too.

The formulas are those of llama.cpp, tools/perplexity/perplexity.cpp at commit 050fc7f (perplexity(), kl_divergence()):
one-pass sums, percentiles at fraction * (n - 1). Unlike there, everything is float64 and the base's log-probabilities
are not stored in 16 bits. Made with Python 3.11, numpy 2.4.
"""

import math

import numpy as np

TOKENS, VOCABULARY = 150, 13
KL = [100, 99.9, 99, 95, 90, 50, 10, 5, 1, 0.1, 0]
DELTA_P = [100, 99.9, 99, 95, 90, 75, 50, 25, 10, 5, 1, 0.1, 0]


def percentile(values, fraction):
    values = sorted(values)
    if fraction <= 0:
        return values[0]
    if fraction >= 1:
        return values[-1]
    p = fraction * (len(values) - 1)
    below = int(p)
    p -= below
    return (1 - p) * values[below] + p * values[min(below + 1, len(values) - 1)]


def mean_and_uncertainty(values):
    n, mean = len(values), sum(values) / len(values)
    return mean, math.sqrt((sum(v * v for v in values) / n - mean * mean) / (n - 1))


def covariance(a, b):
    n = len(a)
    return (sum(x * y for x, y in zip(a, b)) / n - sum(a) / n * sum(b) / n) / (n - 1)


def main():
    i, v = np.mgrid[0:TOKENS, 0:VOCABULARY]
    base = ((37 * i + 53 * v + 7 * i * v) % 101) / 16
    q = base + ((29 * i + 17 * v) % 23 - 11) / 16
    target = (5 * np.arange(TOKENS)) % VOCABULARY
    log_p, log_q = (x - np.log(np.exp(x).sum(axis=1, keepdims=True)) for x in (base, q))
    rows = np.arange(TOKENS)
    nll_base, nll = list(-log_p[rows, target]), list(-log_q[rows, target])
    kld = list((np.exp(log_p) * (log_p - log_q)).sum(axis=1))
    delta_p = [100 * (math.exp(-a) - math.exp(-b)) for a, b in zip(nll, nll_base)]
    same_top = float((base.argmax(axis=1) == q.argmax(axis=1)).mean())

    (log_ppl, se), (log_ppl_base, se_base) = mean_and_uncertainty(nll), mean_and_uncertainty(nll_base)
    print("ppl", repr(math.exp(log_ppl)), "+/-", repr(math.exp(log_ppl) * se))
    print("ppl base", repr(math.exp(log_ppl_base)))
    print("correlation", repr(covariance(nll, nll_base) / (se * se_base)))
    print("ln ratio", repr(log_ppl - log_ppl_base), "ratio", repr(math.exp(log_ppl - log_ppl_base)))
    print("difference", repr(math.exp(log_ppl) - math.exp(log_ppl_base)))
    print("mean kl", repr(sum(kld) / TOKENS))
    print("kl", ", ".join(repr(float(percentile(kld, p / 100))) for p in KL))
    print("mean delta p", repr(mean_and_uncertainty(delta_p)[0]))
    print("rms delta p", repr(math.sqrt(mean_and_uncertainty([d * d for d in delta_p])[0])))
    print("delta p", ", ".join(repr(float(percentile(delta_p, p / 100))) for p in DELTA_P))
    print("same top p", repr(same_top))


if __name__ == "__main__":
    main()
