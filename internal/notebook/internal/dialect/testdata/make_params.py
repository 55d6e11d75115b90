"""Writes params/python.json: for parameter cells of many kinds, what
papermill's inspection finds and what Python's own parser says.

    python make_params.py      needs papermill 2.7, Python 3.12 or newer
"""

import ast
import json
import logging
import math
import pathlib

from nbformat.v4 import new_code_cell
from papermill.translators import PythonTranslator

logging.disable()

CELLS = [
    "a = 1",
    "a = 1\nb = 'two'\nc = 3.0\nd = True\ne = None",
    "a: int = 1  # how many\nb: str = 'x' # type of thing",
    "a = 1 # type: int\nb = 2 # type: float  the rate\nc = 3 # rate",
    "a: List[int] = [1, 2]\nb: Dict[str, List[int]] = {}\nc: \"str\" = 'q'",
    "a = [\n    1,  # one\n    2,\n]  # the list\nb = {\n  'k': 'v',\n  'l': [1, 2],\n}",
    "a = (1, 2)\nb = (1)\nc = ()\nd = 1, 2\ne = {1, 2}\nf = {}\ng = 3,",
    "a = -1\nb = +2\nc = -0.5\nd = 1e5\ne = 0x1F\nf = 0b11\ng = 0o17\nh = 1_000_000\ni = 1.\nj = .5\nk = 10**3\nl = 12345678901234567890123",
    "a = 'it''s'\nb = \"say \\\"hi\\\"\"\nc = r'\\d+'\nd = 'a' 'b'\ne = 'tab\\tnl\\nu\\u00e9x\\x41o\\101'\nf = b'bytes'\ng = f'{a}x'",
    'a = """multi\nline # not a comment\n"""\nb = 2',
    "a = 'has # hash'  # real comment\nb = \"# all hash\"",
    "import os\nfrom x import y\nimport pandas as pd\n\n# comment\n\na = 1\n",
    "a = b = 2\nc = d = e = 'x'",
    "a, b = 1, 2\n(c, d) = (3, 'x')\n[e, f] = [5, 6]\ng, h = pair()",
    "a = 1; b = 2; c = 'x;y'  # last",
    "a: datetime.date = datetime.date(2024, 1, 2)\nb: float | None = 0.5\nc: Literal['x', 'y'] = 'x'",
    "a: typing.Literal[\"x\", 1, None] = 1\nb: Optional[Literal['p']] = None\nc: Union[Literal['m'], None] = 'm'\nd: Literal['auto'] | float = 1.5\ne: 'Literal[1, 2]' = 1\nf: Literal['x'] | Literal['y'] = 'x'",
    "x: int",
    "if True:\n    a = 1\nelse:\n    a = 2\nb = 3",
    "def f(q=1):\n    inner = 2\n    return inner\n\nclass C:\n    attr = 1\n\na = f(q=2)\nb = lambda k=1: k",
    "a.b = 1\nc[0] = 2\nd += 1\ne == 1\nf <= 2\ng != 3\nprint(x=1)\nh = 1",
    "a = 1 == 2\nb = 1 if x == 2 else 3\nc = x <= 3\nd = dict(k=1)",
    "a = 'x' \\\n    'y'\nb = 1 + \\\n    2",
    "a = (\n    'long '\n    'text'\n)  # help here",
    "ä = 1\n变量 = 'x'\n_x1 = 2",
    "a = float('nan')\nb = float(\"inf\")\nc = int(1)",
    "a = [1, 'two', None, True, [3.5], {'k': (1,)}]",
    "a = {'n': 1, 2: 'x'}\nb = {**a}\nc = [*a]\nd = [i for i in a]",
    "a = datetime(2020, 1, 1)  # start\nb = Path('x') / 'y'\nc = os.environ['X']",
    "a=1\nb  =  2\nc   :   int   =   3",
    "a = ''\nb = \"\"\nc = ''''''\nd = ' '",
    "a = 1\na = 2\nb = 3\na = 4  # last wins",
    "a = f\"{x!r:>{w}} {d['k']} {{}}\" # f\nb = rb'\\x'\nc = f'''\n{a}\n'''\nd = f\"{x[\"q\"]}\"",
    "a = 1 #no space\nb = 2 # type: ignore\nc = 3 #",
    "\tx = 1\n\n",
    "   a = 1\n   b = 2",
    "a = 'é😀'\nc = '\\ud800'",
    "a = 0\nb = 00\nc = 0.0\nd = -0\ne = 0e0\nf = 1j\ng = 1e400",
    "with x as y:\n    a = 1\nfor i in range(3):\n    b = 2\ntry:\n    c = 3\nexcept E:\n    c = 4",
    "a = yield_ = 3\nprint(f'{a=}')\nb = [x := 1]",
    "type X = int\nmatch = 1\ncase = 2\n_ = 3",
    "a = \"\"\"x\"\"\" # doc\nb = '''it's'''\nc = \"a\\\nb\"",
    "@decorator\ndef g():\n    zz = 1\nasync def h():\n    yy = 2\na = 1",
]


def jsonable(v):
    """literal_eval's value as our reader gives it; raises where it gives none."""
    if v is None or isinstance(v, (bool, str)):
        if isinstance(v, str):
            v.encode()
        return v
    if isinstance(v, int):
        return {"int": str(v)}
    if isinstance(v, float):
        if not math.isfinite(v):
            raise ValueError
        return {"float": repr(v)}
    if isinstance(v, (list, tuple)):
        return {"list": [jsonable(x) for x in v]}
    if isinstance(v, dict) and all(isinstance(k, str) for k in v):
        return {"dict": {k: jsonable(x) for k, x in v.items()}}
    raise ValueError(v)


def assignments(body):
    """(names, annotation, value) of every assignment outside functions and classes."""
    for node in body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, None, node.value
                elif isinstance(target, (ast.Tuple, ast.List)):
                    same = isinstance(node.value, (ast.Tuple, ast.List)) and len(node.value.elts) == len(target.elts)
                    for i, e in enumerate(target.elts):
                        if isinstance(e, ast.Name):
                            yield e.id, None, node.value.elts[i] if same else False
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id, node.annotation, node.value
        elif isinstance(node, ast.Try):
            yield from assignments(node.body)
            for h in node.handlers:
                yield from assignments(h.body)
        elif isinstance(node, (ast.If, ast.For, ast.With)):
            yield from assignments(node.body)
            yield from assignments(getattr(node, "orelse", []))


def truth(src):
    import textwrap

    found = {}
    for name, annotation, value in assignments(ast.parse(textwrap.dedent(src)).body):
        entry = {"name": name, "annotated": annotation is not None, "literal": False}
        if value:
            try:
                entry["value"] = jsonable(ast.literal_eval(value))
                entry["literal"] = True
            except (ValueError, TypeError, SyntaxError):
                pass
        found[name] = entry
    return list(found.values())


def main():
    out = []
    for src in CELLS:
        papermill = [p._asdict() for p in PythonTranslator.inspect(new_code_cell(src))]
        entry = {"source": src, "papermill": papermill}
        try:
            entry["python"] = truth(src)
        except SyntaxError:
            pass  # a cell that Python itself refuses
        out.append(entry)
    path = pathlib.Path(__file__).parent / "params" / "python.json"
    path.write_text(json.dumps(out, indent=1, ensure_ascii=False) + "\n")


main()
