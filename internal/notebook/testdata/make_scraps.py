"""Writes scraps/: a notebook that scrapbook really glued into, scraps.json with
what scrapbook's own reader finds in it, and mystnb.ipynb, which MyST-NB glued into.

    python make_scraps.py     needs scrapbook 0.5 (and six), myst-nb 1.4, nbclient, ipykernel, pandas
"""

import json
import math
import pathlib
import sys

import nbformat
import scrapbook
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

here = pathlib.Path(__file__).parent / "scraps"
here.mkdir(exist_ok=True)

CELLS = [
    "import scrapbook as sb, math, numpy as np, pandas as pd\nfrom IPython.display import HTML, display",
    "sb.glue('int', 7)\nsb.glue('neg', -3)\nsb.glue('float', 0.1)\nsb.glue('whole', 2.0)\nsb.glue('yes', True)",
    "sb.glue('nan', math.nan)\nsb.glue('inf', math.inf)\nsb.glue('ninf', -math.inf)\nsb.glue('np', np.float64('nan'))",
    "sb.glue('text', 'hello')\nsb.glue('digits', '123')\nsb.glue('nantext', 'nan')\nsb.glue('empty', '')\nsb.glue('uni', 'é漢😀\\n\\x00\"')",
    "sb.glue('jsontext', '\"x\"', encoder='json')\nsb.glue('jsondict', '{\"a\": [1]}', encoder='json')\nsb.glue('astext', 5, encoder='text')",
    "sb.glue('list', [1, 'two', None, [3.5]])\nsb.glue('dict', {'k': {'n': 1}, 2: 'x'})\nsb.glue('el', [])\nsb.glue('ed', {})\nsb.glue('nested', [math.nan, {'a': math.inf}])",
    "sb.glue('beyond', 2**53 + 1)\nsb.glue('huge', 10**30)\nsb.glue('tiny', 5e-324)\nsb.glue('long', list(range(2000)))",
    "sb.glue('df', pd.DataFrame({'a': [1, 2], 'b': ['x', None]}))",
    "sb.glue('html', HTML('<b>x</b>'))\nsb.glue('both', 3, display=True)\nsb.glue('dfboth', pd.DataFrame({'a': [1]}), display=True)",
    "sb.glue('twice', 1)\nsb.glue('other', 0)\nsb.glue('twice', 2)",
    "print('application/scrapbook.scrap.json+json')\ndisplay({'text/plain': 'plain'}, raw=True)\n1",
]


def plain(v):
    if isinstance(v, float) and not math.isfinite(v):
        return {"float": repr(v)}
    if isinstance(v, int) and not isinstance(v, bool):
        return {"int": str(v)}
    return v


MYST = [
    "from myst_nb import glue\nfrom IPython.display import HTML",
    "glue('count', 3, display=False)\nglue('rate', 0.5)\nglue('none', None, display=False)\nglue('flag', True, display=False)",
    "glue('name', 'text', display=False)\nglue('nan', float('nan'), display=False)\nglue('html', HTML('<b>x</b>'), display=False)\nglue('list', [1, 2], display=False)",
]


def execute(cells):
    doc = new_notebook(cells=[new_code_cell(c) for c in cells], metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}})
    for i, c in enumerate(doc.cells):
        c["id"] = f"c{i}"
    NotebookClient(doc).execute()
    return doc


def main():
    (here / "mystnb.ipynb").write_text(nbformat.writes(execute(MYST)))
    doc = execute(CELLS)
    path = here / "glued.ipynb"
    path.write_text(nbformat.writes(doc).replace(sys.prefix, "/venv"))
    found = []
    for name, s in scrapbook.read_notebook(str(path)).scraps.items():
        data = None if s.encoder == "pandas" else s.data
        found.append({"name": name, "encoder": s.encoder, "data": plain(data), "display": bool(s.display)})
    (here / "scraps.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")


main()
