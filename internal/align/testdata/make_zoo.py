"""Executes notebooks of plotting libraries twice, and with planted changes.

    python make_zoo.py zoo.json.gz [NAME…]

Executes them with the fanout on the PATH and this Python, which needs ipykernel
and the libraries that ZOO imports. The file holds,
for each notebook, two executions of it, and for each planted change the
outputs of the changed cell: the tests put them into the second execution.
Only cells' outputs, code and times are kept, to be small.
"""

import gzip
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

MPL = "import matplotlib\nmatplotlib.use('module://matplotlib_inline.backend_inline')\nimport matplotlib.pyplot as plt, numpy as np\nplt.rcParams.update({'figure.figsize': (2.4, 1.6), 'figure.dpi': 50})"
NOISE = "import datetime, tempfile, time, uuid\nprint(datetime.datetime.now(), uuid.uuid4(), tempfile.mkdtemp(), object())\nprint(f'took {time.perf_counter() % 1:.3f} s')"
FRAME = "import pandas as pd\ndf = pd.DataFrame({'region': ['us', 'eu', 'apac'], 'sales': [10.5, 20.25, 30.125], 'n': [1, 2, 3]})"

# name: cells, and planted changes as (cell, old, new)
ZOO = {
    # matplotlib and what draws with it
    "mpl-line": ([MPL, NOISE, "plt.plot([1, 2, 3, 2]);", "print('mean', 2.0)"], [(2, "3, 2]", "3, 1]"), (3, "2.0", "2.5")]),
    "mpl-scatter": ([MPL, "rng = np.random.default_rng(1)\nplt.scatter(rng.random(30), rng.random(30));", NOISE], [(1, "default_rng(1)", "default_rng(2)")]),
    "mpl-bar": ([MPL, "plt.bar(['a', 'b'], [3, 5])\nplt.title('sales')\nplt.show()", "plt.bar(['a', 'b'], [1, 2]);"], [(1, "[3, 5]", "[3, 6]"), (2, "[1, 2]", "[2, 1]")]),
    "mpl-svg": ([MPL, "%config InlineBackend.figure_formats = ['svg']", "plt.fill_between([0, 1, 2], [1, 3, 2]);", "plt.plot([1, 2]);"], [(2, "3, 2]", "4, 2]")]),
    "mpl-retina": ([MPL, "%config InlineBackend.figure_formats = ['retina']", "plt.hist([1, 1, 2, 3]);"], [(2, "2, 3]", "3, 3]")]),
    "mpl-heat": ([MPL, "plt.imshow(np.arange(16).reshape(4, 4))\nplt.colorbar();", "plt.pie([1, 2]);"], [(1, "arange(16)", "arange(16)[::-1]")]),
    "mpl-objects": ([MPL, "fig, ax = plt.subplots()\nax.plot([1, 2])", "ax", "plt.close('all')\nfig"], [(1, "[1, 2]", "[1, 2], [2, 3]")]),
    "mpl-jpeg": ([MPL, "%config InlineBackend.figure_formats = ['jpeg']", "plt.step([1, 2, 3], [3, 1, 2]);"], [(2, "3, 1, 2", "1, 3, 2")]),
    "seaborn-strip": ([MPL, "import seaborn as sns", FRAME, "sns.barplot(df, x='region', y='sales');"], [(3, "y='sales'", "y='n'")]),
    "seaborn-grid": ([MPL, "import seaborn as sns", FRAME, "sns.relplot(df, x='n', y='sales', height=1.5);", NOISE], [(3, "x='n', y='sales'", "x='sales', y='n'")]),
    "seaborn-heat": ([MPL, "import seaborn as sns", "sns.heatmap([[1, 2], [3, 4]], annot=True);"], [(2, "3, 4", "3, 5")]),
    "pandas-plot": ([MPL, FRAME, "df.plot.bar(x='region', y='sales');", "df"], [(2, "y='sales'", "y='n'")]),
    "statsmodels": ([MPL, "import statsmodels.api as sm", "x = sm.add_constant(np.arange(10.0))\nsm.OLS(np.arange(10.0) ** 2, x).fit().params", "sm.qqplot(np.arange(20.0));"], [(2, "** 2", "** 2.5")]),
    # plotly
    "plotly-line": (["import plotly.graph_objects as go, plotly.io as pio\npio.templates.default = 'none'", "go.Figure(go.Scatter(y=[1, 2, 3]))", NOISE], [(1, "2, 3]", "2, 4]")]),
    "plotly-express": (["import plotly.express as px, plotly.io as pio\npio.templates.default = 'none'", FRAME, "px.bar(df, x='region', y='sales')"], [(2, "y='sales'", "y='n'")]),
    "plotly-packed": (["import numpy as np, plotly.graph_objects as go, plotly.io as pio\npio.templates.default = 'none'", "go.Figure(go.Scatter(x=np.arange(50), y=np.arange(50) ** 0.5))"], [(1, "** 0.5", "** 0.51")]),
    "plotly-title": (["import plotly.graph_objects as go, plotly.io as pio\npio.templates.default = 'none'", "go.Figure(go.Bar(y=[1]), {'title': {'text': 'June'}})", "go.Figure(go.Bar(y=[2]))"], [(1, "June", "July"), (2, "[2]", "[3]")]),
    "plotly-html": (["import plotly.graph_objects as go, plotly.io as pio\npio.templates.default = 'none'\nfrom IPython.display import HTML", "HTML(go.Figure(go.Scatter(y=[1, 5])).to_html(include_plotlyjs='cdn', full_html=False))"], [(1, "1, 5", "1, 6")]),
    # altair
    "altair-bar": (["import altair as alt", FRAME, "alt.Chart(df).mark_bar().encode(x='region', y='sales')"], [(2, "y='sales'", "y='n'")]),
    "altair-mime": (["import altair as alt\nalt.renderers.enable('mimetype')", FRAME, "alt.Chart(df).mark_point().encode(x='n', y='sales')", NOISE], [(2, "mark_point", "mark_line")]),
    "altair-data": (["import altair as alt\nimport pandas as pd", "alt.Chart(pd.DataFrame({'a': [1, 2, 3]})).mark_tick().encode(x='a')"], [(1, "2, 3]", "2, 5]")]),
    "altair-layers": (["import altair as alt", FRAME, "c = alt.Chart(df).encode(x='n', y='sales')\n(c.mark_line() + c.mark_point()).properties(title='t')"], [(2, "title='t'", "title='u'")]),
    # bokeh
    "bokeh-line": (["from bokeh.plotting import figure, show\nfrom bokeh.io import output_notebook\nfrom bokeh.resources import CDN\noutput_notebook(CDN, hide_banner=True)",
                    "f = figure(width=200, height=100)\nf.line([1, 2, 3], [1, 4, 9])\nshow(f)", "f = figure(width=200, height=100)\nf.scatter([1, 2], [2, 1])\nshow(f)"], [(1, "4, 9]", "4, 8]"), (2, "[2, 1]", "[1, 1]")]),
    "bokeh-html": (["from bokeh.plotting import figure\nfrom bokeh.embed import components\nfrom IPython.display import HTML", "f = figure(width=200, height=100)\nf.vbar(x=[1, 2], top=[5, 6], width=1)\nHTML(''.join(components(f)))"], [(1, "5, 6", "5, 7")]),
    # tables
    "pandas-table": ([FRAME, "df", "df.describe()", NOISE], [(1, "df", "df.assign(n=[1, 2, 4])"), (2, "df.", "df.head(2).")]),
    "pandas-style": ([FRAME, "df.style.bar(subset=['sales'])", "df.style.highlight_max(subset=['n'])"], [(1, "bar(", "background_gradient("), (2, "highlight_max", "highlight_min")]),
    "pandas-schema": (["import pandas as pd\npd.options.display.html.table_schema = True", FRAME, "df"], [(2, "df", "df.replace(20.25, 21.25)")]),
    "pandas-groups": ([FRAME, "df.groupby('region').agg({'sales': ['mean', 'sum'], 'n': 'max'})", "df.pivot_table(index='region', values='sales')"], [(1, "'max'", "lambda x: x.max() + 1"), (2, "'sales')", "'n')")]),
    "pandas-series": ([FRAME, "df.sales.rolling(2).mean()", "df.region.value_counts()"], [(1, "rolling(2)", "rolling(3)")]),
    "polars-table": (["import polars as pl", "pl.DataFrame({'a': [1, 2, 3], 'b': ['x', 'y', 'z']})", NOISE], [(1, "2, 3]", "2, 30]")]),
    "polars-plot": (["import polars as pl, altair", "pl.DataFrame({'a': [1, 2, 3], 'b': [3, 4, 5]}).plot.line(x='a', y='b')"], [(1, "3, 4, 5", "3, 4, 6")]),
    "great-tables": ([FRAME, "from great_tables import GT\nGT(df).tab_header('Sales')"], [(1, "'Sales'", "'Costs'")]),
    "itables": ([FRAME, "import itables\nitables.to_html_datatable(df, connected=True)\nfrom IPython.display import HTML\nHTML(itables.to_html_datatable(df, connected=True))"], [(1, "(df, connected=True))", "(df.head(2), connected=True))")]),
    # maps, formulas, widgets, text
    "folium": (["import folium", "m = folium.Map([52.5, 13.4], zoom_start=6)\nfolium.Marker([52.5, 13.4], popup='here').add_to(m)\nm"], [(1, "popup='here'", "popup='there'")]),
    "sympy": (["import sympy as sp\nx = sp.Symbol('x')", "sp.integrate(x**2, x)", "sp.Matrix([[1, x], [x, 2]])"], [(1, "x**2", "x**3")]),
    "networkx": ([MPL, "import networkx as nx", "g = nx.path_graph(4)\nnx.draw(g, pos=nx.circular_layout(g), node_size=20)", "print(g, set(nx.get_node_attributes(g, 'a')), {'b', 'a', 'c'}, hex(id(g)))"], [(2, "path_graph(4)", "path_graph(5)")]),
    "widgets": (["import ipywidgets as w", "w.VBox([w.IntSlider(3), w.Label('days')])", "w.HTML('<b>all</b>')"], [(1, "IntSlider(3)", "IntSlider(4)")]),
    "tqdm": (["import time\nfrom tqdm import tqdm\nfrom tqdm.auto import tqdm as rich", "for i in tqdm(range(5)): time.sleep(0.03)", "for i in rich(range(5)): time.sleep(0.03)", "print(sum(range(5)))"], [(1, "range(5)", "range(6)"), (3, "range(5)", "range(6)")]),
    "rich": (["from rich import print\nfrom rich.table import Table", "t = Table('run', 'loss')\nt.add_row('a', '0.25')\nprint(t)"], [(1, "0.25", "0.26")]),
    "logging": (["import logging, sys, threading, warnings\nlogging.basicConfig(format='%(asctime)s %(process)d? %(message)s'.replace('%(process)d? ', ''), level='INFO', stream=sys.stderr)", "logging.info('fit 0.5')\nprint('done')\nwarnings.warn('odd')", "%timeit -n 10 -r 2 sum(range(100))", "%time sum(range(10))", "print('loss', 0.125)"],
                [(1, "0.5", "0.6"), (4, "0.125", "0.25")]),
    "raises": ([NOISE, "def check(n):\n    if n > 2: raise ValueError(f'{n} rows')\ncheck(3)"], [(1, "check(3)", "check(4)")]),
    "json": (["from IPython.display import JSON, GeoJSON, Markdown, Latex", "JSON({'a': [1, 2], 'b': {'c': 'x'}})", "GeoJSON({'type': 'Point', 'coordinates': [1, 2]})", "Markdown('**3** runs')", "Latex('$x^2$')"],
             [(1, "'x'", "'y'"), (2, "[1, 2]", "[1, 3]"), (3, "**3**", "**4**"), (4, "x^2", "x^3")]),
}


def execute(cells):
    doc = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": {"name": "python3", "display_name": "p", "language": "python"}}, "cells": [
        {"cell_type": "code", "id": f"c{i}", "metadata": {}, "source": s, "outputs": [], "execution_count": None} for i, s in enumerate(cells)]}
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/in.ipynb", "w") as f:
            json.dump(doc, f)
        subprocess.run(["fanout", "exec", "in.ipynb", "out.ipynb", "--python", sys.executable], cwd=folder, capture_output=True)
        with open(f"{folder}/out.ipynb") as f:
            return slim(json.load(f))


def slim(doc):
    """The notebook without what is not compared."""
    doc["cells"] = [{**c, "metadata": {}} for c in doc["cells"] if c["cell_type"] == "code"]
    kept = {"papermill": {k: doc["metadata"]["papermill"][k] for k in ("start_time", "end_time")}}
    if "widgets" in doc["metadata"]:
        kept["widgets"] = doc["metadata"]["widgets"]
    doc["metadata"] = kept
    return doc


def one(name):
    cells, plants = ZOO[name]
    made = {"name": name, "a": execute(cells), "b": execute(cells), "planted": []}
    for cell, old, new in plants:
        changed = list(cells)
        if old not in changed[cell]:
            raise SystemExit(f"{name}: cell {cell} does not hold {old!r}")
        changed[cell] = changed[cell].replace(old, new)
        nb = execute(changed)
        made["planted"].append({"cell": cell, "outputs": nb["cells"][cell]["outputs"], "metadata": {k: v for k, v in nb["metadata"].items() if k == "widgets"}})
    print(name, len(json.dumps(made)), [o.get("ename") for c in made["a"]["cells"] for o in c["outputs"] if o["output_type"] == "error"], flush=True)
    return made


if __name__ == "__main__":
    names = sys.argv[2:] or list(ZOO)
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(one, names))
    data = json.dumps(made, separators=(",", ":"), ensure_ascii=False).encode()
    with open(sys.argv[1], "wb") as f, gzip.GzipFile(fileobj=f, mode="wb", compresslevel=9, mtime=0) as z:
        z.write(data)
    print(len(made), "notebooks,", sum(len(m["planted"]) for m in made), "planted changes,", len(data), "bytes,", os.path.getsize(sys.argv[1]), "compressed")
