"""Runs notebooks through papermill and compares with what fanout exec made.

    python compare_exec.py IN.ipynb FANOUT.ipynb [name value]…

The same cells, sources, tags, outputs, counts and metadata keys; times, ids
and versions may differ. papermill's code formatter must not be installed.
"""

import json
import re
import sys
import tempfile
from pathlib import Path

import papermill

source, ours = sys.argv[1:3]
words = sys.argv[3:]
parameters = {words[i]: json.loads(words[i + 1]) for i in range(0, len(words), 2)}
theirs = Path(tempfile.mkdtemp()) / "papermill.ipynb"
try:
    papermill.execute_notebook(source, str(theirs), parameters=parameters, progress_bar=False)
except papermill.PapermillExecutionError:
    pass


def text(value):
    return "".join(value) if isinstance(value, list) else value


def plain(value):
    value = re.sub(r"\x1b\[[0-9;]*m", "", text(value))
    value = re.sub(r"0x[0-9a-f]+", "0x…", value)
    return re.sub(r"ipykernel_\d+/\d+", "ipykernel", value)


def outputs(cell):
    """Neighbouring pieces of one stream are one."""
    joined = []
    for o in cell.get("outputs", []):
        if o["output_type"] == "stream":
            if joined and joined[-1][:2] == ["stream", o["name"]]:
                joined[-1][2] += text(o["text"])
            else:
                joined.append(["stream", o["name"], text(o["text"])])
        elif o["output_type"] == "error":
            joined.append(["error", o["ename"], plain(o["evalue"]), [plain(line) for line in o["traceback"]]])
        else:
            joined.append([o["output_type"], {m: plain(v) if isinstance(v, (str, list)) else v for m, v in o["data"].items()}, o["metadata"], o.get("execution_count")])
    return joined


def shape(path):
    doc = json.loads(Path(path).read_text())
    cells = [
        {
            "type": c["cell_type"], "source": text(c["source"]), "tags": c["metadata"].get("tags", []), "outputs": outputs(c),
            "count": c.get("execution_count"), "keys": sorted(c["metadata"]),
            "papermill": {k: v for k, v in c["metadata"].get("papermill", {}).items() if k in ("exception", "status")},
            "papermill keys": sorted(c["metadata"].get("papermill", {})),
        }
        for c in doc["cells"]
    ]
    meta = {k: sorted(v) if isinstance(v, dict) else v for k, v in doc["metadata"].items() if k != "fanout"}
    pm = doc["metadata"]["papermill"]
    return {"cells": cells, "metadata": meta, "parameters": pm["parameters"], "exception": pm["exception"], "nbformat": (doc["nbformat"], doc["nbformat_minor"])}


a, b = shape(theirs), shape(ours)
for part in a:
    if part == "cells":
        assert len(a[part]) == len(b[part]), f"{len(b[part])} cells, papermill has {len(a[part])}"
        for i, (x, y) in enumerate(zip(a[part], b[part])):
            for key in x:
                assert x[key] == y[key], f"cell {i}, {key}:\npapermill {x[key]!r}\nfanout    {y[key]!r}"
    else:
        assert a[part] == b[part], f"{part}:\npapermill {a[part]!r}\nfanout    {b[part]!r}"
print("same")
