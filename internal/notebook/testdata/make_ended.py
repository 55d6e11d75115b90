"""Writes ended/: notebooks that papermill 2.7 and nbclient really executed and
that ended in every way there is, with ended.json: what really happened.

    python make_ended.py     needs papermill 2.7, nbclient, ipykernel
"""

import json
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

here = pathlib.Path(__file__).parent / "ended"
shutil.rmtree(here, ignore_errors=True)
here.mkdir()

META = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


def cell(source, *tags):
    return new_code_cell(source, metadata={"tags": list(tags)} if tags else {})


def nb(*cells):
    cells = [new_markdown_cell("# t")] + [c if not isinstance(c, str) else cell(c) for c in cells]
    doc = new_notebook(cells=cells, metadata=META)
    for i, c in enumerate(doc.cells):
        c["id"] = f"c{i}"
    return doc


KILL = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
CASES = {
    # name: (cells, options, what happened: status, kind, cell or -1)
    "fine": (["1", "2"], [], ("succeeded", "", -1)),
    "raises": (["1", "1/0", "3"], [], ("failed", "exception", 4)),  # after papermill put its banners in
    "exit-zero": (["1", "import sys; sys.exit(0)", "3"], [], ("succeeded", "early_exit", 2)),
    "exit-nothing": (["1", "import sys; sys.exit()", "3"], [], ("succeeded", "early_exit", 2)),
    "exit-three": (["1", "import sys; sys.exit(3)", "3"], [], ("failed", "exception", 4)),
    "allowed": (["1", cell("1/0", "raises-exception"), "3"], [], ("succeeded", "", -1)),
    "skipped": (["1", cell("1/0", "skip-execution"), "", "3"], [], ("succeeded", "", -1)),
    "timeout": (["1", "import time; time.sleep(30)", "3"], ["--execution-timeout", "2"], (("lost", "timed_out"), ("unfinished", "cell_timeout"), 2)),
    "died": (["1", KILL, "3", "4"], [], ("lost", "unfinished", 2)),
    "died-last": (["1", KILL], [], ("lost", "unfinished", 2)),
    "magic": (["1", "%%bash\nexit 3", "3"], [], ("failed", "exception", 4)),
    "terminated": (["1", "import time; time.sleep(30)", "3"], "SIGTERM", ("lost", "unfinished", 2)),
    "prepared": (["1", "2"], ["--prepare-only"], ("planned", "", -1)),
    "no-code": ([], [], ("succeeded", "", -1)),
}
BY_NBCLIENT = {
    "nbclient-fine": (["1", "", "2"], ("succeeded", "", -1)),
    "nbclient-raises": (["1", "1/0", "3"], ("failed", "exception", 2)),
    "nbclient-died": (["1", KILL, "3"], ("lost", "unfinished", 2)),
    "nbclient-never": (None, ("planned", "", -1)),
}


def papermill(source, target, options):
    command = [sys.executable, "-m", "papermill", source.name, target.name, "--no-progress-bar"]
    if options != "SIGTERM":
        return subprocess.run(command + options, stderr=subprocess.DEVNULL, cwd=here).returncode
    p = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=here)
    while not target.exists() or '"running"' not in target.read_text() or '"c2"' not in target.read_text().split('"running"')[0][-600:]:
        time.sleep(0.2)
    time.sleep(1)
    p.send_signal(signal.SIGTERM)
    return p.wait()


def main():
    truth = {}
    for name, (cells, options, expected) in CASES.items():
        source, target = here / f"{name}.in.ipynb", here / f"{name}.ipynb"
        source.write_text(nbformat.writes(nb(*cells)))
        rc = papermill(source, target, options)
        source.unlink()
        truth[name] = {"papermill_exit_code": rc, "expect": expected}
    for name, (cells, expected) in BY_NBCLIENT.items():
        doc = nb(*(cells or ["1", "2"]))
        if cells:
            try:
                NotebookClient(doc).execute()
            except Exception:
                pass
        (here / f"{name}.ipynb").write_text(nbformat.writes(doc))
        truth[name] = {"expect": expected}
    for path in here.glob("*.ipynb"):
        path.write_text(path.read_text().replace(sys.prefix, "/venv"))
    (here / "ended.json").write_text(json.dumps(truth, indent=1) + "\n")


main()
