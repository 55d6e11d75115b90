"""Reads cases as JSON, prints what scipy and numpy say of them."""

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


def ranks(case):
    a, b = case["a"], case["b"]
    if case["paired"]:
        d = np.array(b) - np.array(a)
        pairs = [(x + y) / 2 for i, x in enumerate(d) for y in d[i:]]
        return {"p": signed_rank(d), "shift": float(np.median(pairs))}
    p = stats.mannwhitneyu(a, b, alternative="two-sided", method="exact").pvalue
    return {"p": float(p), "shift": float(np.median(np.subtract.outer(b, a)))}


def means(case):
    a, b = np.array(case["a"]), np.array(case["b"])
    if case["paired"]:
        t = stats.ttest_rel(b, a)
    else:
        t = stats.ttest_ind(b, a, equal_var=False)
    ci = t.confidence_interval(0.95)
    return {"p": float(t.pvalue), "shift": float(b.mean() - a.mean()), "lo": float(ci.low), "hi": float(ci.high)}


def proportions(case):
    (h1, n1), (h2, n2) = [[int(x) for x in side] for side in (case["A"], case["B"])]
    table = np.array([[h1, n1 - h1], [h2, n2 - h2]])
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    if expected.min() < 5:
        p = stats.fisher_exact(table).pvalue
    else:
        p = stats.chi2_contingency(table, correction=False).pvalue
    one, two = [stats.binomtest(h, n).proportion_ci(0.95, "wilson") for h, n in ((h1, n1), (h2, n2))]
    p1, p2 = h1 / n1, h2 / n2
    return {
        "P": float(p),
        "Lo": two.low,
        "Hi": two.high,
        "DiffLo": p2 - p1 - np.hypot(p2 - two.low, one.high - p1),
        "DiffHi": p2 - p1 + np.hypot(two.high - p2, p1 - one.low),
    }


def trend(case):
    at, y = case["At"], case["Y"]
    tau = stats.kendalltau(at, y, method="asymptotic")
    return {"P": float(tau.pvalue), "Slope": float(stats.theilslopes(y, at).slope)}


answer = {"ranks": ranks, "means": means, "proportions": proportions, "trend": trend}[sys.argv[1]]
json.dump([answer(case) for case in json.load(sys.stdin)], sys.stdout)
