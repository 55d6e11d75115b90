"""Writes docs/*.ipynb, notebooks as different from each other as the format
allows, and docs/*.golden, what nbformat writes for each after the upgrade that
papermill does. Ids that nbformat invents at random become cell-0, cell-1, …

    python make_docs.py      needs nbformat 5.11 and papermill 2.7
"""

import json
import math
import pathlib

import nbformat
from papermill.iorw import load_notebook_node

here = pathlib.Path(__file__).parent / "docs"


def code(source, outputs=(), count=None, **more):
    return {"cell_type": "code", "source": source, "metadata": {}, "outputs": list(outputs), "execution_count": count} | more


def markdown(source, **more):
    return {"cell_type": "markdown", "source": source, "metadata": {}} | more


def notebook(cells, minor=5, metadata=None, **more):
    for i, cell in enumerate(cells):
        if minor >= 5:
            cell.setdefault("id", f"cell-{i}")
    return {"cells": cells, "metadata": metadata or {}, "nbformat": 4, "nbformat_minor": minor} | more


def show(data, metadata=None, kind="display_data", **more):
    return {"output_type": kind, "data": data, "metadata": metadata or {}} | more


def stream(text, name="stdout"):
    return {"output_type": "stream", "name": name, "text": text}


LINES = "a\nb\r\nc\rd\ve\ff\x1cg\x1dh\x1ei\x85j\u2028k\u2029l\n\n"
ODD = "quote \" back \\ slash / tab \t bell \x07 esc \x1b[31m del \x7f nul \x00 é ü 漢 😀 \ufeff \u200b end"

DOCS = {
    "empty": notebook([]),
    "plain": notebook(
        [markdown("# Title\n\nwith *text*"), code("print(1)", [stream("1\n")], 1), {"cell_type": "raw", "source": "raw", "metadata": {"format": "text/html"}}],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
                  "language_info": {"name": "python", "version": "3.12.1", "codemirror_mode": {"name": "ipython", "version": 3}}},
    ),
    "lines": notebook([code(LINES, [stream(LINES), show({"text/plain": LINES, "text/html": LINES, "image/svg+xml": LINES,
                       "application/javascript": LINES, "application/xml": LINES, "image/png": "iVBORw0KGgo=\n"})]), markdown(""), markdown("\n"), markdown(LINES)]),
    "odd": notebook([markdown(ODD), code(ODD, [stream(ODD), show({"text/plain": ODD, "application/json": {ODD: [ODD]}, "image/png": ODD}, {ODD: ODD})],
                    metadata={"tags": [ODD, "x"]})], metadata={"title": ODD, "authors": [{"name": ODD}]}),
    "numbers": notebook([code("", [show({"application/json": {"int": 1, "neg": -7, "float": 1.0, "small": 1e-07, "tiny": 5e-324, "big": 1.7976931348623157e308,
                        "e16": 1e16, "e15": 1e15, "frac": 0.1, "third": 1 / 3, "nan": math.nan, "inf": math.inf, "ninf": -math.inf,
                        "beyond": 2**53 + 1, "huge": 10**40, "true": True, "null": None, "nested": [[], {}, [[]], [{}], {"a": {}}], "negzero": -0.0}})], 3)],
                        metadata={"papermill": {"parameters": {"x": math.nan, "y": [1, 2.0, -math.inf]}, "duration": 12.000001}}),
    "outputs": notebook([code("1/0", [
        stream("out\n"), stream("err\n", "stderr"),
        show({"text/plain": "<Figure>", "image/png": "iVBORw0KGgoAAAANSUhEUgAA" * 1500}, {"image/png": {"width": 640, "height": 480}, "needs_background": "light"}),
        show({"text/plain": "42"}, kind="execute_result", execution_count=7),
        show({"application/vnd.plotly.v1+json": {"data": [{"x": [1, 2], "y": [3.5, None]}], "layout": {"z": 1, "a": "b\nc"}}}),
        show({"application/json": ["one\n", "two\n"], "text/plain": ["already ", "a list\n", "of texts"], "application/x+json": "text\nstays"}),
        show({}, kind="execute_result", execution_count=None),
        {"output_type": "error", "ename": "ZeroDivisionError", "evalue": "division by zero", "traceback": ["\x1b[31m---\x1b[39m", "line 1\n  line 2", ""]},
        {"output_type": "error", "ename": "E", "evalue": "", "traceback": []},
    ], 7)]),
    "attachments": notebook([markdown("![a](attachment:a.png)", attachments={"a.png": {"image/png": "AAAA", "text/plain": "l1\nl2"}, "ü.svg": {"image/svg+xml": "<svg>\n</svg>"}}),
                             markdown("none", attachments={}), {"cell_type": "raw", "source": "", "metadata": {}, "attachments": {"b": {}}}]),
    "metadata": notebook([code("x", metadata={"tags": ["parameters"], "jupyter": {"source_hidden": True, "outputs_hidden": False}, "collapsed": False, "scrolled": "auto",
                          "execution": {"iopub.status.busy": "2024-01-01T00:00:00.000000Z"}, "papermill": {"status": "completed", "duration": 0.5}, "trusted": True, "zeta": None}),
                          markdown("m", metadata={"slideshow": {"slide_type": "slide"}})],
                         metadata={"signature": "sha256:x", "orig_nbformat": 2, "orig_nbformat_minor": 1, "papermill": {"version": "2.4.0", "parameters": {}},
                                   "widgets": {"application/vnd.jupyter.widget-state+json": {"state": {"abc": {"model_name": "FloatSliderModel", "state": {"value": 0.5}}}, "version_major": 2, "version_minor": 0}}}),
    "unknown": notebook([code("x", [show({"text/plain": "a"}, novel={"k": [1]}), {"output_type": "hologram", "depth": 3, "text": ["a", "b"]}], more={"b": 1, "a": 2}), markdown("m", zzz=None)],
                        aaa={"first": 1}, zzz=[1, 2], metadata={"x": {"y": [{"z": 1}]}}),
    "split": notebook([{"cell_type": "markdown", "id": "cell-0", "metadata": {}, "source": ["a\n", "b", "c\n"]}, code(["x = 1\n", "y"], [stream(["a\n", "b\n"]), stream([])]), code([])]),
    "minor0": notebook([code("a"), code("a"), markdown("a"), code("b")], minor=0),
    "minor1": notebook([code("# é", [show({"application/json": {"a": 1}})])], minor=1),
    "minor2": notebook([markdown("t"), code("t", [stream("t")], 1)], minor=2, metadata={"title": "T"}),
    "minor3": notebook([code("t", metadata={"jupyter": {"source_hidden": True}})], minor=3),
    "minor4": notebook([code("t", metadata={"execution": {}})], minor=4, metadata={"kernelspec": {"name": "ir", "language": "R", "display_name": "R"}}),
    "v3": {
        "nbformat": 3, "nbformat_minor": 0, "metadata": {"name": "old", "signature": "s", "kept": 1},
        "worksheets": [{"metadata": {}, "cells": [
            {"cell_type": "heading", "level": 2, "source": ["Two\n", "lines"], "metadata": {}},
            {"cell_type": "markdown", "source": "text\nmore", "metadata": {}},
            {"cell_type": "code", "language": "python", "collapsed": True, "input": ["x = 1\n", "x"], "prompt_number": 4, "metadata": {}, "outputs": [
                {"output_type": "stream", "stream": "stderr", "text": ["warn\n", "again"]},
                {"output_type": "stream", "text": "no name"},
                {"output_type": "pyout", "prompt_number": 4, "text": ["1"], "html": "<b>1</b>", "metadata": {"png": {"width": 3}}},
                {"output_type": "display_data", "png": "iVBOR", "jpeg": "/9j/", "svg": ["<svg>\n", "</svg>"], "latex": "$x$", "javascript": "f()\ng()", "json": "{\"a\": [1, 2.5]}", "text": "x"},
                {"output_type": "pyerr", "ename": "E", "evalue": "v", "traceback": ["t"]},
            ]},
            {"cell_type": "raw", "source": "r", "metadata": {}},
        ]}, {"cells": [{"cell_type": "code", "language": "python", "input": "second sheet", "outputs": [], "metadata": {}}]}],
    },
}


def main():
    for name, doc in DOCS.items():
        path = here / f"{name}.ipynb"
        # Odd forms of the same JSON: other indents, escaped characters, no sorting.
        text = json.dumps(doc, indent=[None, 1, 4][len(name) % 3], ensure_ascii=len(name) % 2 == 0)
        path.write_bytes(text.encode())
        nb = load_notebook_node(str(path))
        for i, cell in enumerate(nb.cells):
            if doc.get("nbformat_minor", 0) < 5:
                cell.id = f"cell-{i}"
            cell.metadata.pop("papermill", None) if not cell.metadata.papermill else None
            cell.metadata.pop("tags", None) if not cell.metadata.tags else None
        if "papermill" not in doc["metadata"]:
            del nb.metadata["papermill"]
        (here / f"{name}.golden").write_bytes(nbformat.writes(nb).encode())


main()
