"""Writes spend.json: Lan and DeMets's O'Brien-Fleming-like spending by scipy."""

import json

from scipy.stats import norm

cases = [
    {"alpha": a, "t": t, "spent": 4 * norm.sf(norm.isf(a / 4) / t**0.5)}
    for a in (0.2, 0.1, 0.05, 0.01, 0.001)
    for t in (0.05, 0.1, 1 / 6, 0.2, 0.3, 0.45, 0.5, 41 / 60, 0.75, 0.9, 0.99)
]
with open("spend.json", "w") as f:
    json.dump(cases, f, indent=1)
