"""Writes halton.json: the first points of Halton's sequence by scipy."""

import json

from scipy.stats import qmc

with open("halton.json", "w") as f:
    json.dump(qmc.Halton(6, scramble=False).random(150).tolist(), f)
