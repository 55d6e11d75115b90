"""Reads cases as JSON, prints what scipy, statsmodels and numpy say of them."""

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
        return {"p": signed_rank(d), "shift": float(np.median(pairs)), "size": rank_correlation(d)}
    p = stats.mannwhitneyu(a, b, alternative="two-sided", method="exact").pvalue
    u = stats.mannwhitneyu(b, a).statistic
    return {"p": float(p), "shift": float(np.median(np.subtract.outer(b, a))), "size": float(2 * u / (len(a) * len(b)) - 1)}


def rank_correlation(d):
    d = d[d != 0]
    if len(d) == 0:
        return 0.0
    ranks = stats.rankdata(np.abs(d))
    return float(np.sum(ranks * np.sign(d)) / np.sum(ranks))


def means(case):
    a, b = np.array(case["a"]), np.array(case["b"])
    if case["paired"]:
        t = stats.ttest_rel(b, a)
    else:
        t = stats.ttest_ind(b, a, equal_var=False)
    ci = t.confidence_interval(0.95)
    if case["paired"]:
        size = (b - a).mean() / (b - a).std(ddof=1)
    else:
        pooled = ((len(a) - 1) * a.var(ddof=1) + (len(b) - 1) * b.var(ddof=1)) / (len(a) + len(b) - 2)
        size = (b.mean() - a.mean()) / np.sqrt(pooled)
    return {"size": float(size), "p": float(t.pvalue), "shift": float(b.mean() - a.mean()), "lo": float(ci.low), "hi": float(ci.high)}


def proportions(case):
    from statsmodels.stats.proportion import confint_proportions_2indep, proportion_effectsize

    (h1, n1), (h2, n2) = [[int(x) for x in side] for side in (case["A"], case["B"])]
    table = np.array([[h1, n1 - h1], [h2, n2 - h2]])
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    if expected.min() < 5:
        p = stats.fisher_exact(table).pvalue
    else:
        p = stats.chi2_contingency(table, correction=False).pvalue
    one, two = [stats.binomtest(h, n).proportion_ci(0.95, "wilson") for h, n in ((h1, n1), (h2, n2))]
    p1, p2 = h1 / n1, h2 / n2
    low, high = confint_proportions_2indep(h2, n2, h1, n1, method="newcomb", compare="diff")
    assert abs(low - (p2 - p1 - np.hypot(p2 - two.low, one.high - p1))) < 1e-7
    return {
        "P": float(p),
        "Size": float(proportion_effectsize(p2, p1)),
        "Lo": two.low,
        "Hi": two.high,
        "DiffLo": p2 - p1 - np.hypot(p2 - two.low, one.high - p1),
        "DiffHi": p2 - p1 + np.hypot(two.high - p2, p1 - one.low),
    }


def trend(case):
    at, y = case["At"], case["Y"]
    tau = stats.kendalltau(at, y, method="asymptotic")
    return {"P": float(tau.pvalue), "Slope": float(stats.theilslopes(y, at).slope)}


def quartiles(case):
    import pandas

    q = [float(x) for x in np.percentile(case, [25, 75])]
    assert np.allclose(q, pandas.Series(case).quantile([0.25, 0.75]), rtol=0, atol=1e-12)
    return q


def permutations(case):
    """Every way to give signs, or to deal the values."""
    a, b = np.array(case["a"]), np.array(case["b"])
    if case["paired"]:
        result = stats.permutation_test((b - a,), np.mean, permutation_type="samples", n_resamples=np.inf, vectorized=True)
    else:
        result = stats.permutation_test((a, b), lambda x, y, axis: np.mean(y, axis=axis) - np.mean(x, axis=axis),
                                        permutation_type="independent", n_resamples=np.inf, vectorized=True)
    return {"p": float(result.pvalue)}


def bootstrap(case):
    """The BCa interval of 20,000 resamples."""
    a, b = np.array(case["a"]), np.array(case["b"])
    rng = np.random.default_rng(1)
    if case["paired"]:
        ci = stats.bootstrap((b - a,), np.mean, n_resamples=20_000, method="BCa", rng=rng).confidence_interval
        se = (b - a).std(ddof=1) / np.sqrt(len(a))
    else:
        difference = lambda x, y, axis=-1: np.mean(y, axis=axis) - np.mean(x, axis=axis)  # noqa: E731
        ci = stats.bootstrap((a, b), difference, n_resamples=20_000, method="BCa", rng=rng).confidence_interval
        se = np.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b))
    return {"lo": float(ci.low), "hi": float(ci.high), "se": float(se)}


def holm(case):
    from statsmodels.stats.multitest import multipletests

    return [float(p) for p in multipletests(case, method="holm")[1]]


def divided(case):
    shares = np.array(case["shares"])
    return float(stats.chisquare(case["counts"], sum(case["counts"]) * shares / shares.sum()).pvalue)


def groups(case):
    return float(stats.kruskal(*case).pvalue)


def ratios(case):
    """Ratios of sums by statsmodels: regressions through the origin with weights
    1/trials, whose sandwich errors are the delta method's."""
    import statsmodels.api as sm

    (y1, x1), (y2, x2) = [np.array(side, dtype=float).T for side in (case["A"], case["B"])]
    fit = lambda y, x: sm.WLS(y, x, weights=1 / x).fit(cov_type="HC1")  # noqa: E731
    one, two = fit(y1, x1), fit(y2, x2)
    n, zero = len(y1), np.zeros(len(y1))
    y, x = np.concatenate([y1, y2]), np.concatenate([x1, x2])
    if case["Paired"]:
        both = np.column_stack([np.concatenate([x1, x2]), np.concatenate([zero, x2])])
        pair = np.concatenate([np.arange(n), np.arange(n)])
        diff = sm.WLS(y, both, weights=1 / x).fit(cov_type="cluster", cov_kwds={"groups": pair, "use_correction": False})
        shift, se, df = diff.params[1], diff.bse[1] * np.sqrt(n / (n - 1)), n - 1
    else:
        m = len(y2)
        shift, se = two.params[0] - one.params[0], np.hypot(one.bse[0], two.bse[0])
        df = se**4 / (one.bse[0] ** 4 / (n - 1) + two.bse[0] ** 4 / (m - 1))
    t = stats.t(df)
    return {"Centre": one.params[0], "Error": one.bse[0], "Shift": shift, "Lo": shift - t.ppf(0.975) * se, "Hi": shift + t.ppf(0.975) * se, "P": 2 * t.sf(abs(shift / se))}


def adjusted(case):
    """A change beside covariates, by ordinary least squares of statsmodels."""
    import statsmodels.api as sm

    a, b, x = np.array(case["A"]), np.array(case["B"]), np.array(case["X"]).T
    if case["Paired"]:
        fit = sm.OLS(b - a, np.column_stack([np.ones(len(a)), x])).fit()
        at, plain = 0, (b - a).var(ddof=1) / len(a)
    else:
        y, of = np.concatenate([a, b]), np.repeat([0, 1], [len(a), len(b)])
        fit = sm.OLS(y, np.column_stack([np.ones(len(y)), of, x])).fit()
        plain = sm.OLS(y, np.column_stack([np.ones(len(y)), of])).fit().bse[1] ** 2
        at = 1
    lo, hi = fit.conf_int(0.05)[at]
    return {"Shift": fit.params[at], "Error": fit.bse[at], "Lo": lo, "Hi": hi, "P": fit.pvalues[at], "Saved": 1 - fit.bse[at] ** 2 / plain}


def sensitivity(case):
    """How often n pairs of this deviation tell a change of a size, and the pairs for an
    effect, by a normal test: in its own direction, at half the two-sided level."""
    from statsmodels.stats.power import NormalIndPower

    one = {"alpha": case["Alpha"] / 2, "ratio": 0, "alternative": "larger"}
    power = NormalIndPower().power(case["Size"] / case["Deviation"], case["N"], **one)
    n = NormalIndPower().solve_power(effect_size=case["Effect"] / case["Deviation"], power=0.8, **one)
    return {"Power": float(power), "N": float(n)}


answer = {"sensitivity": sensitivity, "adjusted": adjusted, "ratios": ratios, "divided": divided, "groups": groups, "permutations": permutations, "bootstrap": bootstrap, "holm": holm, "ranks": ranks, "means": means, "proportions": proportions, "quartiles": quartiles, "trend": trend}[sys.argv[1]]
json.dump([answer(case) for case in json.load(sys.stdin)], sys.stdout)
