"""Writes the corpus: the notebooks below, and what papermill makes of them.

    python make.py [NAME...]

writes in/NAME.ipynb and, with papermill, papermill/NAME.ipynb, whose times,
versions, process ids and random ids are taken out so that they change only
when papermill's or the kernel's behaviour does. versions.json says which
programs made them. It needs papermill and ipykernel.
"""

import base64
import json
import re
import struct
import sys
import zlib
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell

HERE = Path(__file__).parent
BOOKS = {}
PARAMS = {}


def md(source, **metadata):
    return ("markdown", source, metadata)


def raw(source, **metadata):
    return ("raw", source, metadata)


def tag(source, *tags, **metadata):
    return ("code", source, {"tags": list(tags), **metadata})


def book(name, *cells, params=None, **extra):
    made = []
    for i, c in enumerate(cells):
        kind, source, metadata = c if isinstance(c, tuple) else ("code", c, {})
        make = {"code": new_code_cell, "markdown": new_markdown_cell, "raw": new_raw_cell}[kind]
        made.append(make(source, id=f"c{i}", metadata=metadata))
    nb = new_notebook(cells=made, metadata={
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
        **extra,
    })
    BOOKS[name] = nb
    if params:
        PARAMS[name] = params
    return nb


def png(w, h, grey):
    rows = b"".join(b"\0" + bytes([grey]) * w for _ in range(h))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 0, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


FLUSH = "import sys\ndef say(s, f=sys.stdout):\n    f.write(s); f.flush()\n"

# Streams.
book("stream-order", FLUSH, "say('a\\n'); say('b\\n', sys.stderr); say('c\\n'); say('d\\n', sys.stderr)")
book("stream-partial", "print('no newline', end='')", "print('x\\ry\\rz'); print('ab\\b\\bc')",
     "print('\\x1b[31mred\\x1b[0m \\x00 nul \\x0c form feed \\x1c sep')")
book("stream-unicode", "print('naïve Ω 漢字 🎈 \\u2028 line separator \\u0085 nel')", "print('e\\u0301 \\u202e rtl')")
book("stream-empty", "print('', end='')", "import sys; n = sys.stdout.write('')", "pass")
book("stream-many", "for i in range(5000):\n    print(i)", "print('x' * 300_000)")
book("stream-flushes", "for i in range(300):\n    print(i, flush=True)")
book("stream-logging", "import logging, warnings\nlogging.warning('root warns')\n"
     "logging.getLogger('a.b').error('an error')\nwarnings.showwarning = lambda m, *a, **k: print('warned:', m)\nwarnings.warn('careful')")
book("stream-descriptors", "import os\nos.write(1, b'by descriptor\\n'); _ = os.system('echo from a shell')",
     "import subprocess\nsubprocess.run(['echo', 'child']).returncode", "!echo bang; echo err 1>&2")
book("stream-fork", "import os, sys\npid = os.fork()\nif pid == 0:\n    os._exit(3)\nprint(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))")

# Results and displays.
RICH = """
class Rich:
    def __repr__(self): return 'plain'
    def _repr_html_(self): return '<b>html</b>\\n<i>two lines</i>'
    def _repr_latex_(self): return r'$\\alpha$'
    def _repr_svg_(self): return '<svg xmlns="http://www.w3.org/2000/svg">\\n</svg>'
    def _repr_json_(self): return {'b': [1, 2.5, None, True], 'a': {'ü': 'x'}}
    def _repr_markdown_(self): return '# md\\ntext'
    def _repr_javascript_(self): return 'var a;\\nvar b;'
"""
book("result-rich", RICH, "Rich()", "display(Rich()); Rich()")
book("result-bundle", "class B:\n    def _repr_mimebundle_(self, include=None, exclude=None):\n"
     "        return ({'text/plain': 'b', 'application/vnd.x+json': {'k': [1e300, 12345678901234567890]}, 'text/x-multi': 'a\\nb'},"
     " {'application/vnd.x+json': {'isolated': True}})\nB()")
book("result-kinds", "1", "'text'", "None", "1;", "b'bytes'", "{'k': [1, 2, (3,)]}", "list(range(2000))[:1200]", "float('nan')", "print")
book("result-counts", "1 + 1", "_ + 1", "Out[1], In[1]", "", "  \n", "_, __")
book("display-calls", "from IPython.display import *\ndisplay(HTML('<p>h</p>'), Markdown('*m*'), Latex('$x$'), Math('y'))",
     "display(JSON({'a': [1]}, expanded=True)); display(GeoJSON({'type': 'Point', 'coordinates': [1, 2]}))",
     "display(Javascript('1+1')); display(SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"/>'))",
     "display({'text/plain': 'raw', 'text/custom': 'c'}, raw=True, metadata={'text/custom': {'m': 1}})",
     "display(); display(None); display('a', 'b')")
book("display-images", "import base64\nfrom IPython.display import Image, display\nbig = base64.b64decode(%r)" % base64.b64encode(png(300, 200, 7)).decode(),
     "display(Image(big, width=30, height=20)); Image(big)", "Image(url='http://localhost/none.png')")
book("display-publish", "from IPython.display import publish_display_data as p\np({'text/plain': 'x', 'application/json': {'n': None, 'big': 2**60}}, {'meta': {'deep': [1]}})",
     "p({'text/plain': 'with transient'}, transient={'other': 1})", "p({})")
book("display-big", "class Big:\n    def _repr_html_(self): return '<table>' + '<tr><td>é</td></tr>\\n' * 30_000 + '</table>'\nBig()")
book("display-magics", "%%html\n<em>cell</em>", "%%javascript\nlet a = 1;", "%%latex\n$z$", "%%markdown\n**b**", "%%svg\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>")
book("display-mixed", FLUSH, "from IPython.display import display, HTML\nsay('one\\n'); display(HTML('<b/>')); say('two\\n'); say('e\\n', sys.stderr); display(2); 3")

# Display ids.
book("id-same-cell", "h = display('first', display_id='d')", "g = display('one', display_id='e')\ng.update('two')\ng.update('three')")
book("id-earlier-cell", "h = display({'text/plain': 'waiting'}, raw=True, display_id='progress')", "print('between')",
     "h.update({'text/plain': 'half', 'text/html': '<b>half</b>'}, raw=True)",
     "from IPython.display import update_display, HTML\nupdate_display(HTML('<i>done</i>'), display_id='progress', metadata={'x': 1})")
book("id-many-places", "display('a', display_id='k')", "display('b', display_id='k'); display('c', display_id='k')", "display('d', display_id='k')")
book("id-unknown", "from IPython.display import update_display\nupdate_display('nobody', display_id='never')", "display('later', display_id='never')")
book("id-cleared", "from IPython.display import clear_output, display, update_display\ndisplay('gone', display_id='z'); clear_output(); display('other')",
     "update_display('new', display_id='z')", "display('again', display_id='z')", "update_display('newer', display_id='z')")
book("id-generated", "h = display('x', display_id=True)\nh.update('y')", "h.display('z')\nh.update('both')")

# Clearing.
book("clear-now", "from IPython.display import clear_output\nprint('gone'); clear_output(); print('kept')", "print('stays')", "clear_output()")
book("clear-wait", "from IPython.display import clear_output\nfor i in range(5):\n    clear_output(wait=True); print('step', i)")
book("clear-wait-unused", "from IPython.display import clear_output\nprint('kept'); clear_output(wait=True)", "print('next')")
book("clear-wait-display", "from IPython.display import clear_output, display\ndisplay('a', display_id='q'); clear_output(wait=True); display('b')", "from IPython.display import update_display\nupdate_display('c', display_id='q')")
book("clear-wait-error", "from IPython.display import clear_output\nprint('gone'); clear_output(wait=True); 1/0")

# Widgets, through comms as a front end sees them.
COMM = """
from comm import create_comm
def model(name, module='@jupyter-widgets/controls', buffers=None, **state):
    return create_comm(target_name='jupyter.widget', comm_id=name, buffers=buffers,
        data={'state': {'_model_name': name.capitalize() + 'Model', '_model_module': module,
              '_model_module_version': '2.0.0', **state}, 'buffer_paths': [['raw']] if buffers else []},
        metadata={'version': '2.1.0'})
"""
book("widget-state", COMM, "w = model('slider', value=3, description='å')", "w.send({'method': 'update', 'state': {'value': 7}, 'buffer_paths': []})",
     "w.send({'method': 'custom', 'content': {'event': 'x'}})",
     "display({'application/vnd.jupyter.widget-view+json': {'model_id': 'slider', 'version_major': 2, 'version_minor': 0}, 'text/plain': 'Slider()'}, raw=True)")
book("widget-buffers", COMM, "w = model('image', buffers=[b'\\x00\\x01binary'], format='png')",
     "w.send({'method': 'update', 'state': {}, 'buffer_paths': [['raw']]}, buffers=[b'newer'])",
     "w.send({'method': 'update', 'state': {}, 'buffer_paths': [['a', 'b']]}, buffers=[b'nested'])")
book("widget-closed", COMM, "w = model('gone', value=1); w.close()", "v = model('kept', value=2)")
book("widget-output", COMM, "out = model('output', module='@jupyter-widgets/output', msg_id='', outputs=[])",
     "from ipykernel.kernelbase import Kernel\nk = get_ipython().kernel\nme = k.get_parent()['header']['msg_id']\n"
     "out.send({'method': 'update', 'state': {'msg_id': me}, 'buffer_paths': []})\nprint('captured', flush=True)\nprint('more', flush=True)\ndisplay('shown')\n"
     "out.send({'method': 'update', 'state': {'msg_id': ''}, 'buffer_paths': []})\nprint('in the cell')")
# ipywidgets, with ids that are the same in every run.
WIDGETS = """import ipywidgets as w, comm.base_comm, itertools, types
ids = itertools.count(1)
comm.base_comm.uuid = types.SimpleNamespace(uuid4=lambda: types.SimpleNamespace(hex=f"{next(ids):032x}"))
def show(*outs):
    for out in outs:
        print(len(out.outputs), [(o["output_type"], o.get("text") or o.get("data") or o.get("ename")) for o in out.outputs])
out = w.Output(); two = w.Output(); display(out)"""
book("output-told", WIDGETS, "with out: print('captured')\nshow(out)", "show(out)", "with out: print('more'); display(1)\nprint('below')", "show(out, two)")
book("output-append", WIDGETS, "with out: print('captured')", "out.append_stdout('more'); show(out)", "out.append_stderr('bad'); out.append_display_data({'a': 1}); show(out)", "show(out)")
book("output-append-at-once", WIDGETS, "with out: print('captured')\nout.append_stdout('more'); show(out)", "show(out)")
book("output-append-first", WIDGETS, "out.append_stdout('first'); out.append_stdout('second')", "show(out)", "out.append_display_data('third'); show(out)")
book("output-clear", WIDGETS, "with out: print('a')", "out.clear_output()", "show(out)", "with out: print('b')\nout.clear_output(); show(out)", "show(out)",
     "with out: print('c')", "out.clear_output(wait=True)", "show(out)", "with out: print('d')", "show(out)")
book("output-clear-loop", WIDGETS, "from IPython.display import clear_output\nwith out:\n    for i in range(3):\n        clear_output(wait=True)\n        print('step', i)", "show(out)",
     "with out:\n    print('x')\n    clear_output()\nprint('below'); clear_output(wait=True); print('last')", "show(out)")
book("output-set", WIDGETS, "with out: print('a')", "out.outputs = ()", "show(out)", "out.outputs = ({'output_type': 'stream', 'name': 'stdout', 'text': 'set'},)", "show(out)")
book("output-nested", WIDGETS, "display(two)\nwith out:\n    print('outer')\n    with two:\n        print('inner')\n        with out: print('innermost')\n    print('outer again')\nprint('below')", "show(out, two)")
book("output-same-nested", WIDGETS, "with out:\n    print('a')\n    with out:\n        print('b')\n    print('c')\nprint('below')", "show(out)")
book("output-two", WIDGETS, "for i in range(2):\n    with out: print('out', i)\n    with two: print('two', i)", "show(out, two)", "with two: display('shown')", "show(out, two)")
book("output-decorated", WIDGETS, "@out.capture()\ndef f(x): print(x); return 2 * x", "f(1)", "f(2), f(3)", "show(out)",
     "@two.capture(clear_output=True, wait=True)\ndef g(x): print(x)", "g(1); g(2)", "show(two)", "g(3)", "show(two)")
book("output-interact", WIDGETS, "i = w.interact(lambda x: print('x is', x), x=3)", "i.widget.children[0].value = 5", "show(i.widget.out)", "i.widget.children[0].value = 4\nprint('below')", "show(i.widget.out)")
book("output-error", WIDGETS, "with out:\n    print('before')\n    raise ValueError('inside')\nprint('goes on')", "out.outputs[0]['text'], out.outputs[1]['ename'], out.outputs[1]['evalue']")
book("output-updates", WIDGETS, "with out: h = display('a', display_id='same')", "h.update('b'); show(out)", "h.display('again'); h.update('c'); show(out)")
book("output-threads", WIDGETS, "import threading\nwith out:\n    t = threading.Thread(target=lambda: print('in a thread', flush=True)); t.start(); t.join()", "show(out)")
book("output-closed", WIDGETS, "with out: print('a')\nout.close(); print('b')", "print('c')", "with two: print('d')", "show(two)")
book("output-unclosed", WIDGETS, "out.__enter__(); print('a', flush=True)", "print('b')", "out.__exit__(None, None, None); print('c')", "show(out)")
book("output-many", WIDGETS, "outs = [w.Output() for i in range(20)]\nfor i, o in enumerate(outs):\n    with o: print(i)", "print([o.outputs[0]['text'] for o in outs])")
book("comm-foreign", "from comm import create_comm\nc = create_comm(target_name='nobody', data={'x': 1}); c.send({'y': 2}); c.close()", "print('fine')")

# Errors.
book("error-plain", "a = 1", "1/0", "print('never')", md("after"))
book("error-partial-output", "print('before'); display('shown'); raise ValueError('bad')")
book("error-chained", "try:\n    {}['k']\nexcept KeyError as e:\n    raise RuntimeError('outer') from e")
book("error-group", "raise ExceptionGroup('several', [ValueError('v'), TypeError('t')])")
book("error-syntax", "print('no'\n1 = 2")
book("error-indent", "if True:\nprint(1)")
book("error-import", "import no_such_module_at_all")
book("error-unicode", "raise ValueError('ünïcode\\nsecond line ✗')")
book("error-empty-message", "raise KeyError()")
book("error-bad-str", "class E(Exception):\n    def __str__(self): raise TypeError('no')\nraise E()")
book("error-recursion", "import sys\nsys.setrecursionlimit(200)\ndef f(): f()\nf()")
book("error-keyboard", "raise KeyboardInterrupt()")
book("error-assert", "assert 1 == 2, 'one is not two'")
book("error-handled", "import traceback\ntry:\n    1/0\nexcept ZeroDivisionError as e:\n    print(type(e).__name__, e)")
book("error-allowed", tag("1/0", "raises-exception"), "print('goes on')", tag("print('no error')", "raises-exception"))
book("error-allowed-then-not", tag("int('x')", "raises-exception"), "int('y')", "print('never')")
book("error-magic", "print('ok')", "%no_such_magic", "print('never')")
book("error-magic-allowed", tag("%no_such_magic", "raises-exception"), "print('goes on')")
book("error-cell-magic", "%%bash\necho out; echo err 1>&2; exit 3")
book("error-bang", "!exit 1", "_exit_code", "!false\nprint('a failing command is no error')")
book("exit-zero", "print('first')", "import sys; sys.exit(0)", "print('never')", md("never"))
book("exit-bare", "raise SystemExit")
book("exit-one", "import sys; sys.exit(3)", "print('never')")
book("exit-text", "import sys; sys.exit('gave up')")
book("exit-allowed", tag("import sys; sys.exit(2)", "raises-exception"), "print('goes on')")

# Input.
book("input-asked", "print('before')", "name = input('who? ')", "print('never')")
book("input-password", "import getpass\ngetpass.getpass('secret: ')")
book("input-handled", "try:\n    input()\nexcept Exception as e:\n    print(type(e).__name__)")

# Threads and async.
book("thread-joined", "import threading\nt = threading.Thread(target=lambda: print('in thread'))\nt.start(); t.join()\nprint('after')")
book("thread-late", "import threading, sys\ngo, done = threading.Event(), threading.Event()\n"
     "def work():\n    go.wait(); print('late', flush=True); done.set()\nt = threading.Thread(target=work); t.start()\nprint('started')",
     "go.set(); done.wait(); print('joined')")
book("async-await", "import asyncio\nawait asyncio.sleep(0)\nprint('awaited')",
     "async def gen():\n    for i in range(3):\n        yield i\n[i async for i in gen()]", "asyncio.get_running_loop().is_running()",
     "await asyncio.gather(*[asyncio.sleep(0, i) for i in range(3)])")
book("async-error", "import asyncio\nasync def f():\n    raise OSError('async')\nawait f()")
book("async-task", "import asyncio\nasync def f():\n    await asyncio.sleep(0)\n    return 5\nt = asyncio.create_task(f())", "await t")

# Documents.
book("doc-cells", md("# Title\n\ntext"), raw("raw *text*", format="text/restructuredtext"), "", "   \n\t", "# only a comment", "x = 1", md(""))
book("doc-tags", tag("print('skipped')", "skip-execution"), tag("print('hidden')", "hide-input", "remove-cell"),
     ("code", "print('meta')", {"collapsed": True, "scrolled": "auto", "slideshow": {"slide_type": "slide"}, "jupyter": {"source_hidden": True}, "custom": {"ü": [1]}}),
     md("tagged", tags=["note"]), authors=[{"name": "Ü"}], title="T", custom={"nested": {"deep": 1.5}})
book("doc-parameters", md("intro"), tag("a = 1\nb = 'x'\ntwice = a * 2", "parameters"), "print(a, b, twice)",
     params={"a": 5, "b": "ünï \"quoted\" 'single' \\ back\nline", "c": [1, 2.5, None, True, {"k": "v"}]})
book("doc-no-parameters-cell", "print(sorted(k for k in globals() if k in ('p', 'q')))", params={"p": 1.0, "q": False})
book("doc-injected-before", tag("a = 1", "parameters"), "print('between')", tag("# Parameters\na = 2\n", "injected-parameters"), "print(a)", params={"a": 3})
book("doc-error-banners", ("markdown", "<span>An Exception was encountered</span>", {"tags": ["papermill-error-cell-tag"]}), "print('clean')",
     ("markdown", "<span>here</span>", {"tags": ["papermill-error-cell-tag"]}), "print('too')",
     papermill={"version": "1.0.0", "parameters": {"old": 1}, "exception": True, "foreign": "kept"})
book("doc-old-outputs", "print('new')", "x = 1")
BOOKS["doc-old-outputs"].cells[1]["outputs"] = [nbformat.v4.new_output("stream", text="stale\n")]
BOOKS["doc-old-outputs"].cells[1]["execution_count"] = 44
BOOKS["doc-old-outputs"].metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {}, "version_major": 2, "version_minor": 0}}
book("doc-attachments", md("![a](attachment:a.png)"), "1")
BOOKS["doc-attachments"].cells[0]["attachments"] = {"a.png": {"image/png": base64.b64encode(png(2, 2, 9)).decode()}}
book("doc-line-ends", "print('a')\r\nprint('b')\r\n", "ü = 'identifier'\nprint(ü)\n\n\n", "s = '''three\nlines\n'''; s")

# The kernel's other messages.
book("payload-help", "print?", "len??", "%%capture cap\nprint('captured'); display(1)", "cap.stdout, len(cap.outputs)")
book("payload-next-input", "get_ipython().set_next_input('# new cell')", "%precision 3\n3.14159", "%who_ls")
book("payload-run", "%%writefile part.py\nprint('from part'); value = 8", "%run part.py", "value", "%load part.py")
book("payload-hooks", "ip = get_ipython()\ndef pre(*a): print('pre')\nip.events.register('pre_run_cell', pre)", "1", "ip.events.unregister('pre_run_cell', pre)")


ANSI = re.compile(r"\x1b\[[0-9;]*m")


def scrub(text):
    text = re.sub(r"0x[0-9a-f]{6,}", "0xADDRESS", text)
    text = re.sub(r"/[^\s:'\"\x1b]*/(site-packages|lib/python3\.\d+)/", "/LIB/", text)
    text = re.sub(r"ipykernel_\d+/\d+\.py", "ipykernel_PID/FILE.py", text)
    return re.sub(r"<DisplayHandle display_id=[0-9a-f]{32}>", "<DisplayHandle display_id=ID>", text)


def normal(nb):
    """Takes out what differs from run to run."""
    pm = nb["metadata"].get("papermill", {})
    for key in ("start_time", "end_time", "duration"):
        if pm.get(key) is not None:
            pm[key] = "SET"
    pm["version"] = "VERSION"
    for key in ("input_path", "output_path"):
        if key in pm:
            pm[key] = Path(pm[key]).name
    nb["metadata"]["language_info"] = {"name": nb["metadata"].get("language_info", {}).get("name")}
    for i, cell in enumerate(nb["cells"]):
        if not re.fullmatch(r"c\d+", cell["id"]):
            cell["id"] = f"NEW{i}"
        meta = cell["metadata"]
        for key, value in meta.get("papermill", {}).items():
            if key in ("start_time", "end_time", "duration") and value is not None:
                meta["papermill"][key] = "SET"
        if "execution" in meta:
            meta["execution"] = {k: "SET" for k in meta["execution"]}
        for out in cell.get("outputs", []):
            if out["output_type"] == "error":
                out["traceback"] = [scrub(line) for line in out["traceback"]]
            if "text" in out:
                out["text"] = scrub(out["text"])
            plain = out.get("data", {}).get("text/plain")
            if plain is not None:
                out["data"]["text/plain"] = scrub(plain)
    return nb


def run(name, cwd):
    import papermill
    source = HERE / "in" / f"{name}.ipynb"
    target = cwd / f"{name}.ipynb"
    try:
        papermill.execute_notebook(str(source), str(target), parameters=PARAMS.get(name, {}), progress_bar=False, cwd=str(cwd))
        ok = True
    except (papermill.PapermillExecutionError, nbformat.ValidationError, RuntimeError) as e:
        print(f"{name}: {type(e).__name__}")
        ok = False
    nb = normal(nbformat.read(target, 4))
    (HERE / "papermill" / f"{name}.ipynb").write_text(nbformat.writes(nb))
    return ok


def main(names):
    import tempfile
    from importlib.metadata import version
    (HERE / "in").mkdir(exist_ok=True)
    (HERE / "papermill").mkdir(exist_ok=True)
    params_file = HERE / "params.json"
    params_file.write_text(json.dumps(PARAMS, indent=1, sort_keys=True) + "\n")
    verdicts_file = HERE / "verdicts.json"
    verdicts = json.loads(verdicts_file.read_text()) if verdicts_file.exists() else {}
    for name in names or BOOKS:
        (HERE / "in" / f"{name}.ipynb").write_text(nbformat.writes(BOOKS[name]))
        with tempfile.TemporaryDirectory() as d:
            verdicts[name] = run(name, Path(d))
    verdicts_file.write_text(json.dumps({k: verdicts[k] for k in sorted(BOOKS) if k in verdicts}, indent=1) + "\n")
    versions = {p: version(p) for p in ("papermill", "nbclient", "ipykernel", "ipython", "nbformat")}
    (HERE / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
