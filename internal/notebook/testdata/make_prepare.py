"""Writes prepare/: notebooks that papermill prepared, marked as failed, and
recorded the progress of, for the same inputs and calls in cases.json.

    python make_prepare.py     needs papermill 2.7 without black
"""

import datetime
import json
import logging
import math
import pathlib
import shutil

import nbformat
import papermill.engines
import papermill.execute
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell
from papermill.engines import NotebookExecutionManager
from papermill.exceptions import PapermillExecutionError
from papermill.iorw import load_notebook_node

here = pathlib.Path(__file__).parent / "prepare"
shutil.rmtree(here, ignore_errors=True)
here.mkdir()

PYTHON = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}, "language_info": {"name": "python"}}


def nb(cells, metadata=PYTHON):
    doc = new_notebook(cells=cells, metadata=json.loads(json.dumps(metadata)))
    for i, c in enumerate(doc.cells):
        c["id"] = f"in-{i}"
    return doc


def tagged(source, *tags, cell=new_code_cell, **metadata):
    return cell(source, metadata={"tags": list(tags)} | metadata)


def kernel(name, language):
    return {"kernelspec": {"name": name, "display_name": name, "language": language}, "language_info": {"name": language}}


MANY = {
    "s": "text", "i": 7, "f": 0.5, "t": True, "n": None, "l": [1, "two", None, [3.0]], "d": {"a": 1, "b": {"c": [True]}}, "neg": -3, "e": 1e20, "small": 1e-7,
    "quote": "say \"hi\" and 'ho'", "back": "C:\\dir\\new", "lines": "a\nb\tc\r\n", "uni": "é漢😀\x07\x7f", "empty": "", "el": [], "ed": {}, "long": 12345678901234567890,
}
PLAIN = {"s": "text", "i": 7, "f": 0.5, "t": True, "u": False, "l": [1, 2], "big": 12345678901, "neg": -3, "sq": "it's", "e": 1e20}

CASES = {
    "after": (nb([new_markdown_cell("# t"), tagged("a = 1\nb = 2", "parameters", slideshow={"slide_type": "skip"}), new_code_cell("print(a)"), new_raw_cell("r")]), {"a": 5}, {}),
    "none": (nb([tagged("a = 1", "parameters"), new_code_cell("a")]), {}, {}),
    "many": (nb([tagged("\n".join(f"{k} = 0" for k in MANY), "parameters")]), MANY, {}),
    "special": (nb([tagged("x = 1", "parameters")]), {"x": math.nan, "y": [math.inf, -math.inf]}, {}),
    "untagged": (nb([new_code_cell("x = 1"), new_markdown_cell("m")]), {"x": 2}, {}),
    "replace": (nb([tagged("a = 1", "parameters"), new_code_cell("a"), tagged("# Parameters\na = 3\n", "injected-parameters", "other"), new_code_cell("a")]), {"a": 4}, {}),
    "replace-two": (nb([tagged("a = 3", "injected-parameters"), tagged("a = 1", "parameters"), tagged("a = 9", "injected-parameters")]), {"a": 4}, {}),
    "two-parameters": (nb([tagged("a = 1", "parameters"), tagged("a = 2", "parameters")]), {"a": 4}, {}),
    "unknown": (nb([tagged("a = 1", "parameters")]), {"zz": 4, "a": 1, "yy": 2}, {}),
    "report": (nb([tagged("a = 1", "parameters"), new_code_cell("a"), new_markdown_cell("m")]), {"a": 2}, {"report_mode": True}),
    "report-none": (nb([tagged("a = 1", "parameters"), new_code_cell("a")]), {}, {"report_mode": True}),
    "again": (nb([tagged("a = 1", "parameters", papermill={"status": "completed"}), tagged("banner", "papermill-error-cell-tag", cell=new_markdown_cell), new_code_cell("a")],
                 PYTHON | {"papermill": {"version": "1.0", "parameters": {"old": 1}, "foreign": [1], "input_path": "x"}}), {}, {}),
    "again-with": (nb([tagged("a = 1", "parameters")], PYTHON | {"papermill": {"version": "1.0", "parameters": {"old": 1}}}), {"a": 2}, {}),
    "kernel": (nb([tagged("a <- 1", "parameters")], {}), {"a": 2}, {"kernel_name": "ir", "language": "R"}),
    "R": (nb([tagged("s <- 1", "parameters")], kernel("ir", "R")), PLAIN | {"_lead": 1, "n": None, "d": {"k": 1, "q": "v"}}, {}),
    "julia": (nb([tagged("s = 1", "parameters")], kernel("julia-1.10", "julia")), PLAIN | {"n": None, "d": {"k": 1}}, {}),
    "scala": (nb([tagged("val s = 1", "parameters")], kernel("scala", "scala")), PLAIN | {"n": None, "d": {"k": 1}}, {}),
    "bash": (nb([tagged("s=1", "parameters")], kernel("bash", "bash")), {"s": "text", "i": 7, "f": 0.5, "t": True, "sq": "it's", "sp": "a b", "n": None, "l": [1, 2, "x y"], "uni": "é", "dollar": "$HOME", "eq": "a=b"}, {}),
    "matlab": (nb([tagged("s = 1;", "parameters")], kernel("matlab", "matlab")), PLAIN | {"n": None, "d": {"k": 1}, "dq": "a\"b"}, {}),
    "csharp": (nb([tagged("var s = 1;", "parameters")], kernel(".net-csharp", "C#")), PLAIN | {"d": {"k": 1}}, {}),
    "fsharp": (nb([tagged("let s = 1", "parameters")], kernel(".net-fsharp", "F#")), PLAIN | {"n": None, "d": {"k": 1}}, {}),
    "powershell": (nb([tagged("$s = 1", "parameters")], kernel(".net-powershell", "PowerShell")), PLAIN | {"n": None, "d": {"k": 1, "l": 2}, "x": math.nan}, {}),
    "pyspark": (nb([tagged("s = 1", "parameters")], kernel("pysparkkernel", "python")), {"s": 1}, {}),
}

warnings = []


class Collect(logging.Handler):
    def emit(self, record):
        if record.levelno == logging.WARNING and "introspection" not in record.getMessage():
            warnings.append(record.getMessage())


logging.getLogger("papermill").addHandler(Collect())


def normal(doc):
    """Ids by place: papermill invents those of new cells."""
    for i, c in enumerate(doc.cells):
        c["id"] = f"cell-{i}"
    return doc


def prepare():
    index = {}
    for name, (doc, params, kwargs) in CASES.items():
        source, target = here / f"{name}.ipynb", here / f"{name}.golden"
        source.write_text(nbformat.writes(doc))
        warnings.clear()
        out = papermill.execute.execute_notebook(doc_path(source), doc_path(target), params, prepare_only=True, progress_bar=False, **kwargs)
        out = nbformat.reads(target.read_text(), 4)
        out.metadata.papermill.input_path, out.metadata.papermill.output_path = "in.ipynb", "out.ipynb"
        target.write_text(nbformat.writes(normal(out)))
        index[name] = {"params": list(params.items()), "warnings": list(warnings)} | kwargs
    (here / "cases.json").write_text(json.dumps(index, indent=1, ensure_ascii=False) + "\n")


def doc_path(p):
    return str(p)


def error(name="ValueError", value="bad", lines=("t1", "t2")):
    return new_output("error", ename=name, evalue=value, traceback=list(lines))


def banners():
    docs = {
        "first": nb([new_code_cell("1/0", execution_count=1, outputs=[error()]), new_code_cell("2")]),
        "third": nb([new_markdown_cell("m"), new_code_cell("1", execution_count=1), new_code_cell("x", execution_count=12, outputs=[new_output("stream", text="a"), error("KeyError", "'k'")])]),
        "uncounted": nb([new_code_cell("x", outputs=[error()])]),
        "exit-three": nb([new_code_cell("exit(3)", execution_count=1, outputs=[error("SystemExit", "3")])]),
        "silent": nb([new_code_cell("%%bash\nfalse", execution_count=2, metadata={"papermill": {"exception": True, "status": "failed"}})]),
    }
    for name, doc in docs.items():
        (here / f"failed-{name}.ipynb").write_text(nbformat.writes(doc))
        target = here / f"failed-{name}.golden"
        try:
            papermill.execute.raise_for_execution_errors(doc, str(target))
        except PapermillExecutionError:
            pass
        target.write_text(nbformat.writes(normal(nbformat.reads(target.read_text(), 4))))


def progress():
    """The calls that papermill's engine makes, on a clock of our own."""
    source = nb([new_markdown_cell("m"), new_code_cell("a", execution_count=4, outputs=[new_output("stream", text="old")]), new_code_cell("b"), new_code_cell("c")])
    (here / "progress.ipynb").write_text(nbformat.writes(source))
    doc = load_notebook_node(str(here / "progress.ipynb"))
    ticks = iter([datetime.datetime(2024, 2, 29, 23, 59, 58, tzinfo=datetime.timezone.utc) + datetime.timedelta(microseconds=n * 1_000_001) for n in range(0, 100)])
    man = NotebookExecutionManager(doc, progress_bar=False)
    moment = [next(ticks)]
    man.now = lambda: moment[0]
    steps = [("start", lambda: man.notebook_start())]
    for i in (0, 1):
        steps += [(f"begin {i}", lambda i=i: man.cell_start(doc.cells[i], i)), (f"end {i}", lambda i=i: man.cell_complete(doc.cells[i], i))]
    steps += [("begin 2", lambda: man.cell_start(doc.cells[2], 2)), ("fail 2", lambda: man.cell_exception(doc.cells[2], 2)), ("end 2", lambda: man.cell_complete(doc.cells[2], 2)),
              ("finish", lambda: man.notebook_complete())]
    told = []
    for name, step in steps:
        moment[0] = next(ticks)
        step()
        told.append([name, moment[0].isoformat()])
    (here / "progress.golden").write_text(nbformat.writes(doc))
    (here / "progress.json").write_text(json.dumps(told, indent=1) + "\n")


prepare()
banners()
progress()
