"""Reads samples as JSON, prints what scipy and numpy say of them."""

import json
import sys

import numpy as np
from scipy import stats


def signed_rank(d):
    d = np.array(d)
    d = d[d != 0]
    if len(d) == 0:
        return 1.0
    if len(set(np.abs(d))) < len(d) and len(d) <= 13:
        # Every assignment of signs, as ranks with ties have no table.
        ranks = stats.rankdata(np.abs(d))
        result = stats.permutation_test((ranks * np.sign(d),), np.sum, permutation_type="samples", n_resamples=np.inf)
        return float(result.pvalue)
    exact = len(d) <= 50
    return float(stats.wilcoxon(d, method="exact" if exact else "approx", correction=False).pvalue)


def main():
    out = []
    for case in json.load(sys.stdin):
        a, b = case["a"], case["b"]
        if case["paired"]:
            d = np.array(b) - np.array(a)
            pairs = [(x + y) / 2 for i, x in enumerate(d) for y in d[i:]]
            out.append({"p": signed_rank(d), "shift": float(np.median(pairs))})
        else:
            p = stats.mannwhitneyu(a, b, alternative="two-sided", method="exact").pvalue
            out.append({"p": float(p), "shift": float(np.median(np.subtract.outer(b, a)))})
    json.dump(out, sys.stdout)


main()
