"""Measures fanout against papermill, side by side, and writes RESULTS.md.

    python3 bench/run.py [--rows trivial,imports,…] [--rounds 3] [--scale 1.0]

Every row alternates between the contenders in one go, so that a noisy machine
is noisy for all of them. Shown are medians per run; what counts are the
ratios. CPU is that of the whole process tree. papermill runs without its
progress bar, its command under `xargs -P2`, its API in a warm pool of two
processes. Where papermill is slow fewer of its runs are made than of
fanout's; the table says how many, and all figures are per run. execnb has no
kernel: it executes cells in its own process, in a pool of two.

RESULTS.md is written after each row; rows that were not measured stay as they
were, each with its date. A row that fails is named there, and the others go
on; the exit status is then 1.
"""

import argparse
import base64
import concurrent.futures
import datetime
import itertools
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
VENV = HERE / ".venv"
FANOUT = ROOT / "bin" / "fanout"

KERNEL = "the kernel alone"
POOL = """
import multiprocessing, sys, papermill
def one(i):
    papermill.execute_notebook(sys.argv[1], f"{sys.argv[2]}/{i}.ipynb", parameters={"x": i}, progress_bar=False)
if __name__ == "__main__":
    with multiprocessing.Pool(2) as pool:
        pool.map(one, range(int(sys.argv[3])), chunksize=1)
"""

# execnb, with a shell of its own for each notebook, or one a process for all.
EXECNB = """
import multiprocessing, sys
from execnb.shell import CaptureShell
shell, main = None, sys.modules["__main__"]
def one(i):
    global shell
    if sys.argv[4] == "fresh" or shell is None:
        shell = CaptureShell()
    shell.execute(sys.argv[1], f"{sys.argv[2]}/{i}.ipynb", exc_stop=True, inject_code=f"x = {i}")
    sys.modules["__main__"] = main  # the shell has put its own there, and the pool looks here for its work
if __name__ == "__main__":
    with multiprocessing.Pool(2) as pool:
        pool.map(one, range(int(sys.argv[3])), chunksize=1)
"""

# What a notebook costs when nobody does anything with its output: the kernel
# and a client that throws every message away. Prints seconds from start to
# the last idle, and CPU seconds of the kernel.
DRAIN = """
import json, resource, sys, time
from jupyter_client import KernelManager
sources = ["".join(c["source"]) for c in json.load(open("t.ipynb"))["cells"]]
begin = time.perf_counter()
manager = KernelManager(kernel_name="python3")
manager.start_kernel()
client = manager.client()
client.start_channels(stdin=False, hb=False)
last = [client.execute(s) for s in sources][-1].encode()
socket = client.iopub_channel.socket
while True:
    if not socket.poll(120_000):
        sys.exit("the kernel fell silent")
    frames = socket.recv_multipart(copy=False)
    parts = [bytes(f) for f in frames if len(f) < 2000]
    if any(b'"idle"' in p for p in parts) and any(last in p for p in parts):
        break
seconds = time.perf_counter() - begin
manager.shutdown_kernel(now=True)
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(seconds, usage.ru_utime + usage.ru_stime)
"""


def notebook(cells, kernel="python3"):
    def cell(i, source):
        return {"cell_type": "code", "id": f"c{i}", "metadata": {"tags": ["parameters"] if source.startswith("x = 0") else []},
                "source": source, "outputs": [], "execution_count": None}
    return json.dumps({"cells": [cell(i, s) for i, s in enumerate(cells)], "nbformat": 4, "nbformat_minor": 5,
                       "metadata": {"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}, "language_info": {"name": "python"}}})


TRIVIAL = ["x = 0", "y = x * 2", "print(y)"]
MIXED = ["x = 0", "import time", "time.sleep(20 if 250 <= x < 270 else 0.05)"]
IMPORTS = ["x = 0", "import pandas as pd\nfrom sklearn.linear_model import LinearRegression",
           "df = pd.DataFrame({'a': range(100)})\nprint(df.a.sum() + x)"]
PREFIX = ["import time, numpy as np\ntime.sleep(2)\ndata = np.ones(300_000_000 // 8)", "x = 0", "print(float(data[:1000].sum()) + x)"]
CHATTY = ["x = 0", "for i in range(200_000): print('line', i)"]
IMAGES = ["x = 0", "import base64, os\nfrom IPython.display import display\n"
          "display({'image/png': base64.b64encode(os.urandom(37_500_000)).decode()}, raw=True)"]


class Work:
    """A folder of one measurement's own."""

    def __init__(self, cells, kernel="python3", spec=""):
        self.dir = Path(tempfile.mkdtemp(prefix="bench-"))
        (self.dir / "t.ipynb").write_text(notebook(cells, kernel))
        self.spec = spec

    def sweep(self, n):
        (self.dir / "sweep.yaml").write_text(f"name: s\ntemplate: t.ipynb\ngrid: {{x: {{range: {{from: 1, to: {n}}}}}}}\nmax_runs: 100000\n{self.spec}\n")

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)


def measure(argv, cwd, env=None):
    """Wall and CPU seconds of a command and all its children, and peak RSS of it in MB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    process = subprocess.Popen(argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, argv))[:200]} failed:\n{errors.decode()[-2000:]}")
    return {"wall": wall, "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, "rss": usage.ru_maxrss / 1024}


def fanout(cells, n, *flags, spec="", kernel="python3", env=None):
    work = Work(cells, kernel, spec if kernel == "fake" else f"python: {VENV}\n{spec}")
    work.sweep(n)
    got = measure([FANOUT, "run", "--no-progress", "-j", "2", *flags, "sweep.yaml"], work.dir, env)
    head = (work.dir / "s.sweep" / "log").rglob("*.jsonl")
    ended = [json.loads(line)["ended"] for f in head for line in f.read_text().splitlines() if '"ended"' in line]
    assert sum(e["outcome"]["status"] == "succeeded" for e in ended) == n, "not every run succeeded"
    work.remove()
    return per_run(got, n)


def on_nomad(cells, n, parallel, *flags, spec=""):
    """A sweep on the cluster, and how long each of its runs took."""
    work = Work(cells, "python3", f"python: {VENV}\nnomad: {{max_parallel: {parallel}{spec}}}")
    work.sweep(n)
    got = per_run(measure([FANOUT, "run", "--no-progress", "--on", "nomad", *flags, "sweep.yaml"], work.dir), n)
    rows = subprocess.run([FANOUT, "collect", "s.sweep", "--format", "json"], cwd=work.dir, check=True, capture_output=True, text=True)
    runs = [json.loads(line) for line in rows.stdout.splitlines()]
    assert all(r["run_status"] == "succeeded" for r in runs), "not every run succeeded"
    work.remove()
    return got, [r["run_duration_s"] for r in runs]


def longest_first(durations, machines):
    """When the last run ends if the longest is always taken next."""
    free = [0.0] * machines
    for d in sorted(durations, reverse=True):
        free[free.index(min(free))] += d
    return max(free)


class Mixed:
    """Long runs among short ones; the bound is of the very runs that were made."""

    def bound(self, n, parallel):
        self.got, durations = on_nomad(MIXED, n, parallel)
        return {"wall": longest_first(durations, parallel) / n, "cpu": self.got["cpu"], "rss": 0, "n": n}


def nomad(path, body=None):
    request = urllib.request.Request(os.environ["NOMAD_ADDR"] + path, json.dumps(body).encode() if body is not None else None)
    return json.load(urllib.request.urlopen(request))


def bare_dispatches(n):
    """Dispatches of /bin/true to their completion, eight at once."""
    job = f"bench-true-{time.time_ns()}"
    task = {"Name": "t", "Driver": "raw_exec", "Config": {"command": "/bin/true"}, "Resources": {"CPU": 1, "MemoryMB": 10}}
    nomad("/v1/jobs", {"Job": {"ID": job, "Name": job, "Type": "batch", "ParameterizedJob": {"Payload": "optional"},
                               "TaskGroups": [{"Name": "g", "Tasks": [task]}]}})
    begin = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: nomad(f"/v1/job/{job}/dispatch", {}), range(n)))
    while sum(j["Status"] == "dead" for j in nomad(f"/v1/jobs?prefix={job}/dispatch-")) < n:
        time.sleep(0.1)
    return time.perf_counter() - begin


def floor_of_plain(n):
    """Bare dispatches, and then the same runs on this machine, each on a cold kernel."""
    bare = bare_dispatches(n)
    got = fanout(TRIVIAL, n, "--warm", "off")
    return {**got, "wall": got["wall"] + bare / n}


def per_run(got, n):
    return {"wall": got["wall"] / n, "cpu": got["cpu"] / n, "rss": got["rss"], "n": n}


def papermill_pool(cells, n):
    work = Work(cells)
    script = work.dir / "pool.py"
    script.write_text(POOL)
    got = measure([VENV / "bin/python", script, "t.ipynb", work.dir, str(n)], work.dir, kernel_env())
    work.remove()
    return per_run(got, n)


def execnb_pool(cells, n, shells):
    work = Work(cells)
    script = work.dir / "pool.py"
    script.write_text(EXECNB)
    got = measure([VENV / "bin/python", script, "t.ipynb", work.dir, str(n), shells], work.dir, kernel_env())
    assert len(list(work.dir.glob("*.ipynb"))) == n + 1, "not every notebook was written"
    work.remove()
    return per_run(got, n)


def papermill_command(cells, n, parallel=2):
    work = Work(cells)
    line = f"seq 1 {n} | xargs -P{parallel} -I@ {VENV}/bin/papermill t.ipynb @.ipynb -p x @ --no-progress-bar"
    got = measure(["sh", "-c", line], work.dir, kernel_env())
    work.remove()
    return per_run(got, n)


def kernel_env():
    return {**os.environ, "JUPYTER_PREFER_ENV_PATH": "1", "VIRTUAL_ENV": str(VENV), "PATH": f"{VENV}/bin:{os.environ['PATH']}"}


def script(cells, n):
    work = Work(cells)
    (work.dir / "s.py").write_text("\n".join(cells))
    got = measure(["sh", "-c", f"seq 1 {n} | xargs -P2 -I@ {VENV}/bin/python s.py"], work.dir)
    work.remove()
    return per_run(got, n)


def fanout_exec(cells):
    work = Work(cells)
    got = measure([FANOUT, "exec", "t.ipynb", "out.ipynb", "--python", VENV], work.dir)
    work.remove()
    return per_run(got, 1)


def kernel_alone(cells):
    work = Work(cells)
    got = subprocess.run([VENV / "bin/python", "-c", DRAIN], cwd=work.dir, env=kernel_env(), stdout=subprocess.PIPE, check=True, text=True)
    work.remove()
    wall, cpu = map(float, got.stdout.split())
    return {"wall": wall, "cpu": cpu, "rss": 0, "n": 1}


def command(argv, cwd):
    return per_run(measure([FANOUT, *argv], cwd, {**os.environ, "FANOUT_PYTHON": str(VENV)}), 1)


class Lazy:
    """Material that is expensive to make, made when first needed."""

    def __init__(self, make):
        self.make, self.dir = make, None

    def __call__(self):
        if self.dir is None:
            self.dir = Path(tempfile.mkdtemp(prefix="bench-"))
            # In a process of its own: a child's peak memory begins with its parent's.
            pid = os.fork()
            if pid == 0:
                try:
                    self.make(self.dir)
                finally:
                    os._exit(0)
            os.waitpid(pid, 0)
        return self.dir

    def remove(self):
        if self.dir is not None:
            shutil.rmtree(self.dir, ignore_errors=True)


def million(dir):
    (dir / "t.ipynb").write_text(notebook(["x = 0\nregion = 'a'"]))
    (dir / "m.yaml").write_text("name: m\ntemplate: t.ipynb\nmax_runs: 10000000\ngrid:\n  x: {range: {from: 1, to: 500000}}\n  region: [apac, emea]\n"
                                "exclude: [{x: 7}, {region: apac, x: 9}]\ninclude: [{x: 1000001, region: emea}]\n")


def finished(runs, image=0, metrics=0):
    return lambda dir: subprocess.run(["go", "run", "./bench/finished", "-open", str(image), "-metrics", str(metrics), str(dir), str(runs)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def scrap(name, value):
    return {"output_type": "display_data", "data": {"application/scrapbook.scrap.json+json": {"name": name, "data": value, "encoder": "json", "version": 1}},
            "metadata": {"scrapbook": {"name": name, "data": True, "display": False}}}


def output_notebook(i, outputs):
    return json.dumps({"cells": [{"cell_type": "code", "id": "a", "metadata": {"tags": ["parameters"]}, "source": "x = 0", "outputs": [], "execution_count": 1},
                                 {"cell_type": "code", "id": "b", "metadata": {}, "source": "work()\n" * 10, "outputs": outputs, "execution_count": 2}],
                       "nbformat": 4, "nbformat_minor": 5,
                       "metadata": {"papermill": {"parameters": {"x": i}}, "kernelspec": {"name": "python3", "display_name": "p", "language": "python"}}}, indent=1)


def pile(n, size):
    """Writes n notebooks with three scraps and text and images up to size bytes."""
    def make(dir):
        image = base64.b64encode(os.urandom(max(0, size - 3000) * 3 // 4)).decode()
        for i in range(n):
            outputs = [scrap("auc", i / n), scrap("rows", i), scrap("note", "fine")]
            if size > 10_000:
                outputs.insert(1, {"output_type": "display_data", "data": {"image/png": image}, "metadata": {}})
            else:
                outputs.append({"output_type": "stream", "name": "stdout", "text": "a line of output\n" * (max(0, size - 2500) // 17)})
            (dir / f"{i:06}.ipynb").write_text(output_notebook(i, outputs))
    return make


def document(size):
    """Writes one notebook of about size bytes as reports are: text, code, tables, prints, and pictures for most of it."""
    def make(dir):
        cells = []
        add = lambda kind, source, **more: cells.append({"cell_type": kind, "id": f"c{len(cells)}", "metadata": {}, "source": source, **more})  # noqa: E731
        table = "<table><thead><tr><th></th><th>day</th><th>value</th></tr></thead><tbody>" + "".join(f"<tr><th>{i}</th><td>2026-01-{i % 28 + 1:02}</td><td>{i * 1.5}</td></tr>" for i in range(60)) + "</tbody></table>"
        for i in range(40):
            picture = base64.b64encode(os.urandom(size // 40 * 3 // 4)).decode()
            add("markdown", f"## Part {i}\n\n" + "Some *words* about **it**, with `code` and $x_1^2$. " * 12)
            add("code", "def f(x, y='text'):\n    return x + len(y)  # why\n" * 10, execution_count=i, outputs=[
                {"output_type": "stream", "name": "stdout", "text": "epoch 1  \x1b[32mloss 0.25\x1b[0m\n" * 100},
                {"output_type": "execute_result", "execution_count": i, "data": {"text/html": table, "text/plain": "a table"}, "metadata": {}},
                {"output_type": "display_data", "data": {"image/png": picture, "text/plain": "<Figure>"}, "metadata": {}}])
        (dir / "n.ipynb").write_text(json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": {"name": "python3", "display_name": "p", "language": "python"}, "language_info": {"name": "python"}}}))
    return make


def nbconvert(dir):
    return per_run(measure([VENV / "bin/jupyter-nbconvert", "--to", "html", "--output", "out.html", "n.ipynb"], dir), 1)


FRAMES = """
import base64, io, json, sys
import numpy as np, pandas as pd
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from run import output_notebook
for i in range(int(sys.argv[2])):
    frame = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=1000, freq="h"), "value": np.random.rand(1000), "n": np.arange(1000), "region": ["apac", "emea"] * 500})
    b = io.BytesIO(); frame.to_parquet(b)
    data = {"name": "by_day", "data": base64.b64encode(b.getvalue()).decode(), "encoder": "pandas", "version": 1}
    out = {"output_type": "display_data", "data": {"application/scrapbook.scrap.pandas+json": data}, "metadata": {"scrapbook": {"name": "by_day", "data": True, "display": False}}}
    Path(sys.argv[1], f"{i:06}.ipynb").write_text(output_notebook(i, [out]))
"""


def frames(n):
    return lambda dir: subprocess.run([VENV / "bin/python", "-c", FRAMES, dir, str(n), HERE], check=True)


def executed(n):
    """Writes n executions of one notebook of 30 cells: texts, tables and images, a third of which differ."""
    def make(dir):
        images = [base64.b64encode(os.urandom(15_000)).decode() for _ in range(10)]
        for i in range(n):
            cells = []
            for c in range(30):
                moved = i if c % 3 == 0 else 0
                text = "".join(f"epoch {k} of cell {c}: loss {1 / (k + 1):.6f}\n" for k in range(60)) + f"final {0.5 + moved}\n"
                table = "<table>" + "".join(f"<tr><th>row {k}</th><td>{k * c + moved}</td><td>{k / (c + 1):.4f}</td></tr>" for k in range(20)) + "</table>"
                outputs = [{"output_type": "stream", "name": "stdout", "text": text},
                           {"output_type": "display_data", "metadata": {}, "data": {"text/html": table, "text/plain": f"a table of {c}"}}]
                if c % 3 == 1:
                    outputs.append({"output_type": "display_data", "metadata": {}, "data": {"image/png": images[c // 3], "text/plain": f"<Figure at 0x7f{os.urandom(5).hex()}>"}})
                cells.append({"cell_type": "code", "id": f"c{c}", "metadata": {}, "source": f"step({c})\n", "execution_count": c + 1, "outputs": outputs})
            (dir / f"{i:03}.ipynb").write_text(json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}, indent=1))
    return make


SCRAPBOOK = """
import sys, pandas as pd, scrapbook as sb
book = sb.read_notebooks(sys.argv[1])
rows = [{**nb.parameters, **{k: s.data for k, s in nb.scraps.items()}} for nb in book.values()]
pd.DataFrame(rows).to_parquet(sys.argv[2])
"""
STACK = """
import base64, io, json, sys, pandas as pd
from pathlib import Path
parts = []
for f in sorted(Path(sys.argv[1]).glob("*.ipynb")):
    for cell in json.loads(f.read_text())["cells"]:
        for o in cell["outputs"]:
            for v in o.get("data", {}).values():
                frame = pd.read_parquet(io.BytesIO(base64.b64decode(v["data"])))
                frame.insert(0, "file", f.name)
                parts.append(frame)
pd.concat(parts).to_parquet(sys.argv[2])
"""


def collect(place):
    out = Path(tempfile.mkdtemp(prefix="bench-out-"))
    dir = place()
    try:
        return command(["collect", dir.name, "-o", out / "t"], dir.parent)
    finally:
        shutil.rmtree(out, ignore_errors=True)


def collect_again(dir, forget=False, touch=0):
    """Collects a sweep of which all, or all but a few notebooks, were collected before."""
    if forget:
        shutil.rmtree(dir / "s.sweep" / "collected", ignore_errors=True)
    for f in itertools.islice((dir / "s.sweep" / "runs").iterdir(), touch):
        os.utime(f)
    return command(["collect", "s.sweep"], dir)


def python(source, place):
    out = Path(tempfile.mkdtemp(prefix="bench-out-"))
    try:
        return per_run(measure([VENV / "bin/python", "-c", source, place(), out / "t.parquet"], out), 1)
    finally:
        shutil.rmtree(out, ignore_errors=True)


def fake_env():
    """Builds the fake kernel and returns an environment that finds it."""
    place = Path(tempfile.mkdtemp(prefix="bench-fake-"))
    subprocess.run(["go", "build", "-o", place / "fakekernel", "./internal/kernel/kerneltest/fakekernel"], cwd=ROOT, check=True)
    spec = place / "kernels" / "fake"
    spec.mkdir(parents=True)
    (spec / "kernel.json").write_text(json.dumps({"argv": [str(place / "fakekernel"), "{connection_file}"], "display_name": "fake", "language": "python"}))
    return {**os.environ, "JUPYTER_PATH": str(place)}


MATERIAL = []


def material(make):
    MATERIAL.append(Lazy(make))
    return MATERIAL[-1]


ONCE = {"nomad-mixed", "fake", "giant", "frames", "small-pile", "large", "larger"}  # rows that take minutes


def verbs_of(n, sweep):
    """What reads a large sweep, each of it once from the beginning."""
    verbs = {"status": ["status", "s.sweep"], "ls": ["ls", "s.sweep"], "ls --where": ["ls", "s.sweep", "--where", "m00 > 100"],
             "compare": ["compare", "s.sweep"], "report": ["report", "s.sweep"]}
    return (f"a sweep of {n:,} runs of 8 metrics along 4 axes", {verb: lambda argv=argv: command(argv, sweep()) for verb, argv in verbs.items()})


def rows(scale):
    n = lambda k: max(2, int(k * scale))  # noqa: E731
    points, done = material(million), material(finished(n(100_000)))
    growing, measured = material(finished(n(10_000), image=200_000)), material(finished(n(10_000), metrics=20))
    large = {k: material(finished(n(k), metrics=8)) for k in (200_000, 1_000_000)}
    mixed = Mixed()
    big, small = material(pile(n(2000), 200_000)), material(pile(n(100_000), 5_000))
    page = material(document(int(16e6 * min(1, scale))))
    two, many = material(executed(2)), material(executed(200))
    giant, framed = material(pile(1, int(1e9 * min(1, scale)))), material(frames(n(10_000)))
    return {
        "trivial": ("trivial 3-cell template", {
            "fanout": lambda: fanout(TRIVIAL, n(200)),
            "fanout --warm zmq": lambda: fanout(TRIVIAL, n(200), "--warm", "zmq"),
            "papermill, pool of 2": lambda: papermill_pool(TRIVIAL, n(20)),
            "papermill, xargs -P2": lambda: papermill_command(TRIVIAL, n(10)),
            "execnb, pool of 2, a shell each": lambda: execnb_pool(TRIVIAL, n(200), "fresh"),
            "execnb, pool of 2, one shell": lambda: execnb_pool(TRIVIAL, n(200), "one"),
        }),
        "imports": ("imports pandas and scikit-learn", {
            "fanout": lambda: fanout(IMPORTS, n(200)),
            "papermill, pool of 2": lambda: papermill_pool(IMPORTS, n(10)),
            "papermill, xargs -P2": lambda: papermill_command(IMPORTS, n(6)),
            "python script.py, xargs -P2": lambda: script(IMPORTS, n(10)),
        }),
        "prefix": ("shared prefix of 2 s and 300 MB", {
            "fanout, share_prefix": lambda: fanout(PREFIX, n(200), spec="share_prefix: true"),
            "papermill, pool of 2": lambda: papermill_pool(PREFIX, n(6)),
        }),
        "cold": ("cold start", {
            "fanout --warm off": lambda: fanout(TRIVIAL, n(50), "--warm", "off"),
            "papermill, xargs -P2": lambda: papermill_command(TRIVIAL, n(10)),
        }),
        "chatty": ("200,000 lines from one cell", {
            "fanout exec": lambda: fanout_exec(CHATTY),
            "papermill": lambda: papermill_command(CHATTY, 1, 1),
            KERNEL: lambda: kernel_alone(CHATTY),
        }),
        "images": ("50 MB in one output", {
            "fanout exec": lambda: fanout_exec(IMAGES),
            "papermill": lambda: papermill_command(IMAGES, 1, 1),
            KERNEL: lambda: kernel_alone(IMAGES),
        }),
        "fake": ("10,000 runs on the fake kernel", {
            "fanout": lambda: fanout(["x = 0", "print hello", "scrap y $x"], n(10000), "--no-canary", kernel="fake", env=fake_env()),
        }),
        "nomad": (f"{n(1000):,} trivial notebooks on Nomad", {
            "fanout on this machine": lambda: fanout(TRIVIAL, n(1000)),
            "fanout --on nomad": lambda: fanout(TRIVIAL, n(1000), "--on", "nomad"),
        }),
        "nomad-300": (f"{n(300):,} trivial notebooks on Nomad", {
            "fanout on this machine": lambda: fanout(TRIVIAL, n(300)),
            "fanout --on nomad": lambda: on_nomad(TRIVIAL, n(300), 2)[0],
        }),
        "nomad-100": (f"{n(100):,} trivial notebooks on Nomad", {
            "fanout on this machine": lambda: fanout(TRIVIAL, n(100)),
            "fanout --on nomad": lambda: on_nomad(TRIVIAL, n(100), 2)[0],
        }),
        "nomad-mixed": (f"20 runs of 20 s among {n(500):,} short ones on Nomad, 4 allocations", {
            "longest first, known beforehand": lambda: mixed.bound(20 + n(500), 4),
            "fanout --on nomad": lambda: mixed.got,
        }),
        "nomad-plain": (f"{n(100):,} runs on Nomad, one an allocation", {
            "bare dispatches, then the runs on this machine --warm off": lambda: floor_of_plain(n(100)),
            "fanout --on nomad, runs_per_job: 1": lambda: on_nomad(TRIVIAL, n(100), 2, spec=", runs_per_job: 1")[0],
        }),
        "million": ("a grid of 1,000,000 points with include and exclude", {
            "plan --count": lambda: command(["plan", "--count", "m.yaml"], points()),
            "plan --limit 10": lambda: command(["plan", "--limit", "10", "--csv", "m.yaml"], points()),
        }),
        "verbs": (f"a sweep of {n(100_000):,} runs that all succeeded", {
            "plan, written (run --only false)": lambda: command(["run", "--no-progress", "--only", "false", "-o", tempfile.mkdtemp(dir=done()) + "/p.sweep", "sweep.yaml"], done()),
            "status": lambda: command(["status", "s.sweep"], done()),
            "ls": lambda: command(["ls", "s.sweep"], done()),
            "collect": lambda: command(["collect", "s.sweep"], done()),
        }),
        "growing": (f"collect a sweep of {n(10_000):,} runs, 200 kB each, that are not in the log alone", {
            "everything is read": lambda: collect_again(growing(), forget=True),
            "10 notebooks changed since": lambda: collect_again(growing(), touch=10),
        }),
        "summary": (f"{n(10_000):,} runs of 20 metrics along 4 axes", {
            "compare": lambda: command(["compare", "s.sweep"], measured()),
            "report": lambda: command(["report", "s.sweep"], measured()),
        }),
        "large": verbs_of(n(200_000), large[200_000]),
        "larger": verbs_of(n(1_000_000), large[1_000_000]),
        "render": ("a notebook of 16 MB as one HTML page", {
            "fanout render": lambda: command(["render", "n.ipynb", "-o", "out.html"], page()),
            "nbconvert --to html": lambda: nbconvert(page()),
        }),
        "images-pile": (f"collect {n(2000):,} notebooks of 200 kB with images", {
            "fanout collect": lambda: collect(big),
            "scrapbook, pandas": lambda: python(SCRAPBOOK, big),
        }),
        "small-pile": (f"collect {n(100_000):,} notebooks of 5 kB", {
            "fanout collect": lambda: collect(small),
        }),
        "diff": ("which cells of two notebooks differ, 30 cells, 300 kB", {
            "fanout diff": lambda: command(["diff", "000.ipynb", "001.ipynb"], two()),
            "nbdime": lambda: per_run(measure([VENV / "bin/nbdiff", "--no-color", "000.ipynb", "001.ipynb"], two()), 1),
        }),
        "diff-many": ("which cells of 200 notebooks differ, 30 cells each", {
            "fanout diff": lambda: command(["diff", *sorted(f.name for f in many().glob("*.ipynb"))], many()),
        }),
        "giant": ("collect one notebook of 1 GB", {
            "fanout collect": lambda: collect(giant),
        }),
        "frames": (f"stack {n(10_000):,} frame scraps of 1,000 rows", {
            "fanout collect": lambda: collect(framed),
            "json, pandas.read_parquet and concat": lambda: python(STACK, framed),
        }),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="", help="comma-separated; all by default")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="shrinks the numbers of runs")
    args = parser.parse_args()
    chosen = rows(args.scale)
    cluster = "NOMAD_ADDR" in os.environ  # an agent on this machine, with raw_exec
    possible = [name for name in chosen if cluster or not name.startswith("nomad")]
    names = args.rows.split(",") if args.rows else possible
    if unknown := [name for name in names if name not in possible]:
        parser.error(f"no row {', '.join(unknown)}; the rows are {', '.join(possible)}" +
                     ("" if cluster else ", and those of Nomad if NOMAD_ADDR names an agent"))
    prepare()
    sections, failed = earlier(chosen), False
    for name in names:
        title, contenders = chosen[name]
        seen, error = {who: [] for who in contenders}, ""
        try:
            measure_row(name, contenders, seen, args.rounds)
        except Exception as e:  # the other rows are worth as much
            failed, error = True, f"{type(e).__name__}: {e}"
            print(f"{name} failed: {error}", file=sys.stderr, flush=True)
        sections[title] = section(seen, error, 1 if name in ONCE else args.rounds, args.scale)
        (HERE / "RESULTS.md").write_text(report(sections, chosen))
    for m in MATERIAL:
        m.remove()
    print(report(sections, chosen))
    return 1 if failed else 0


def earlier(chosen):
    """The sections of RESULTS.md whose rows still are: title to text."""
    try:
        parts = (HERE / "RESULTS.md").read_text().split("\n## ")[1:]
    except FileNotFoundError:
        return {}
    titles = {title for title, _ in chosen.values()}
    found = {head: text.strip() for head, _, text in (part.partition("\n") for part in parts)}
    return {title: text for title, text in found.items() if title in titles}


def measure_row(name, contenders, seen, rounds):
    for r in range(1 if name in ONCE else rounds):
        for who, run in contenders.items():
            got = run() if who.startswith("fanout") else again(who, run)
            seen[who].append(got)
            print(f"{name}, round {r + 1}: {who}: {1000 * got['wall']:.1f} ms wall, {1000 * got['cpu']:.1f} ms CPU a run", flush=True)


def again(who, run):
    """Other people's programs may fail once: two kernels of papermill's pool sometimes take the same port."""
    try:
        return run()
    except Exception as e:
        print(f"{who} failed once: {type(e).__name__}: {e}", file=sys.stderr, flush=True)
        return run()


def prepare():
    stamp = VENV / "stamp"
    wanted = (HERE / "requirements.txt").read_text()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    subprocess.run([VENV / "bin/python", "-m", "pip", "install", "-q", "--only-binary", ":all:", "-r", HERE / "requirements.txt"], check=True)
    stamp.write_text(wanted)


def report(sections, chosen):
    lines = [
        "# Results", "",
        f"Written by `make bench`: {os.cpu_count()} cores, {platform.platform()}, Python {platform.python_version()}, "
        f"{subprocess.run(['go', 'version'], capture_output=True, text=True).stdout.strip()}, "
        f"{', '.join((HERE / 'requirements.txt').read_text().split(chr(10))[2:6])}.", "",
        "Medians of the rounds, per run. Ratios are to the first line of each row, in the same rounds.", "",
    ]
    for title, _ in chosen.values():
        if title in sections:
            lines += [f"## {title}", "", sections[title], ""]
    return "\n".join(lines)


def section(seen, error, rounds, scale):
    """What one row showed."""
    lines = [f"{datetime.date.today()}, {rounds} {'round' if rounds == 1 else 'rounds'}"
             f"{'' if scale == 1 else f', scale {scale}'}; load at the end {os.getloadavg()[0]:.1f}.", ""]
    if error:
        lines += ["This row failed: " + error.splitlines()[0], ""]
    seen = {who: got for who, got in seen.items() if got}
    if not seen:
        return "\n".join(lines).strip()
    first = next(iter(seen))
    lines += ["| | runs | wall ms | CPU ms | wall ratio | CPU ratio | peak RSS of the command, MB |", "|---|---:|---:|---:|---:|---:|---:|"]
    base = {k: statistics.median(g[k] for g in seen[first]) for k in ("wall", "cpu")}
    for who, got in seen.items():
        m = {k: statistics.median(g[k] for g in got) for k in ("wall", "cpu", "rss")}
        rss = f"{m['rss']:.0f}" if m["rss"] else ""
        lines.append(f"| {who} | {got[0]['n']} | {1000 * m['wall']:.1f} | {1000 * m['cpu']:.1f} | {m['wall'] / base['wall']:.1f} | {m['cpu'] / base['cpu']:.1f} | {rss} |")
    if KERNEL in seen and len(seen) > 1:
        lines += ["", overhead(seen)]
    return "\n".join(lines)


def overhead(seen):
    """What the contenders add to the kernel's own time."""
    wall = {who: statistics.median(g["wall"] for g in got) for who, got in seen.items()}
    alone = wall.pop(KERNEL)
    added = {who: w - alone for who, w in wall.items()}
    first = next(iter(added))
    if added[first] < 0.02 * alone:
        return "Beyond the kernel's own time: " + ", ".join(f"{who} {1000 * a:.0f} ms" for who, a in added.items()) + "."
    return "Beyond the kernel's own time: " + ", ".join(
        f"{who} {1000 * a:.0f} ms ({a / added[first]:.1f}×)" for who, a in added.items()) + "."


if __name__ == "__main__":
    sys.exit(main())
