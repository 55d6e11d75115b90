"""Makes testdata/piles/scrapbook: notebooks that papermill executed and whose
scraps scrapbook recorded, and expected.json, what scrapbook's own reader says
of them. Needs papermill, scrapbook, ipykernel, pandas, pyarrow, matplotlib:

    python testdata/make_fixtures.py testdata/piles/scrapbook
"""
import json, os, sys, warnings

import nbformat
import papermill as pm
import scrapbook as sb

warnings.filterwarnings("ignore")
out = sys.argv[1]
os.makedirs(out, exist_ok=True)

cells = {
    "scalars": """
sb.glue("auc", 0.93 * alpha)
sb.glue("n", int(1e15) + k)
sb.glue("label", "plain é 漢字")
sb.glue("empty", "")
sb.glue("flag", k % 2 == 0)
sb.glue("list", [1, 2.5, None])
sb.glue("dict", {"precision": 0.5, "recall": k})
sb.glue("number in text", "123", encoder="json")
sb.glue("nan", float("nan"))
sb.glue("inf", float("inf"))
sb.glue("big", 2**53 + 1)
""",
    "frames": """
import pandas as pd
df = pd.DataFrame({"day": pd.date_range("2026-01-01", periods=3, tz="UTC"), "value": [1, 2, 3] if k % 2 else [0.5, None, 1.5], "who": ["a", None, "ü"]})
sb.glue("by_day", df)
sb.glue("empty_frame", df.head(0))
""",
    "displays": """
import matplotlib
matplotlib.use("agg")
import matplotlib.pyplot as plt
import io
from IPython.display import HTML, Image
fig, ax = plt.subplots(figsize=(0.3, 0.3)); ax.plot([k, 1]); png = io.BytesIO(); fig.savefig(png, dpi=20); plt.close(fig)
sb.glue("figure", Image(png.getvalue()), encoder="display")
sb.glue("both", 42 + k, display=True)
sb.glue("html", HTML("<b>bold</b>"), encoder="display")
""",
    "twice": """
sb.glue("x", 1)
sb.glue("x", 2)
""",
    "fails": """
sb.glue("before", 1)
raise ValueError("no")
sb.glue("after", 1)
""",
    "exits": """
sb.glue("before", 2)
import sys
sys.exit(0)
""",
}

expected = {}
for k, (name, source) in enumerate(cells.items()):
    nb = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}})
    first = nbformat.v4.new_code_cell("alpha = 1.0\nk = 0\nregion = ''", metadata={"tags": ["parameters"]})
    nb.cells = [first, nbformat.v4.new_code_cell("import warnings; warnings.filterwarnings('ignore')\nimport scrapbook as sb")]
    nb.cells += [nbformat.v4.new_code_cell(line) for line in [source.strip()]]
    nb.cells.append(nbformat.v4.new_code_cell("print('the end')"))
    path = os.path.join(out, name + ".ipynb")
    nbformat.write(nb, path)
    try:
        pm.execute_notebook(path, path, parameters={"alpha": 0.5, "k": k, "region": f"région {k}"}, progress_bar=False)
    except pm.PapermillExecutionError:
        pass
    read = sb.read_notebook(path)
    scraps = {}
    for n, s in read.scraps.items():
        data = s.data
        if type(data).__name__ == "DataFrame":
            data = {"columns": list(data.columns), "rows": len(data)}
        scraps[n] = {"data": data, "encoder": s.encoder, "display": s.display is not None}
    expected[name] = {"parameters": dict(read.parameters), "scraps": scraps}
json.dump(expected, open(os.path.join(out, "expected.json"), "w"), indent=1, sort_keys=True, ensure_ascii=False)
