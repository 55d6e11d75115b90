"""Checks with scrapbook's own reader what fanout_glue emitted.

    python check_glue.py OUT.ipynb
"""

import math
import sys

import scrapbook

book = scrapbook.read_notebook(sys.argv[1])
data = {name: scrap.data for name, scrap in book.scraps.items()}

expected = {
    "int": 7, "float": 0.5, "text": "naïve 漢字", "truth": True, "list": [1, "a", None], "map": {"a": 1, "2": [True]},
    "big": 2**63, "numpy_int": 3, "numpy_float": 0.25, "array": [1.0, 2.0], "date": "2026-03-31", "decimal": 1.1,
    "captured": 8, "captured_too": 9,
}
for name, want in expected.items():
    assert data[name] == want, f"{name} is {data[name]!r}, want {want!r}"
assert data["none"] is None, data["none"]
assert math.isnan(data["nan"]) and data["inf"] == math.inf, (data["nan"], data["inf"])
assert data["frame"].to_dict("list") == {"a": [1, 2], "b": ["x", "y"]}, data["frame"]
assert "elsewhere" not in data
assert "figure" in book.scraps.display_scraps, "the figure is no display scrap"
print("ok")
