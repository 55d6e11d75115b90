"""The documents as a site. `make docs` calls Sphinx with this.

The sources are the Markdown files as they are in the repository. A link from one
to another becomes a link between pages; one to anything else in the repository
becomes a link to the source.
"""

import os
import re
import subprocess
from pathlib import Path, PurePosixPath

root = Path(__file__).resolve().parents[2]


def _git(*args: str) -> str:
    done = subprocess.run(["git", "-C", root, *args], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


project = "fanout"
copyright = ""
html_show_copyright = False
html_show_sphinx = False
release = os.environ.get("VERSION") or _git("describe", "--tags", "--always") or "dev"
html_title = f"fanout {release}"

extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = ["docs/*.md", "examples/*/README.md", "bench/RESULTS.md", "CHANGELOG.md", "CONTRIBUTING.md"]
exclude_patterns = ["docs/site"]

myst_heading_anchors = 4
# Tables are wide, and code has no language where it is a session of a terminal.
highlight_language = "none"
pygments_style = "friendly"
pygments_dark_style = "monokai"

# HCL without "=" between blocks is beyond Pygments.
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
templates_path = []

_source = "https://github.com/fanout-dev/fanout/blob/" + (_git("rev-parse", "HEAD") or "main")
_link = re.compile(r"(?<=\]\()([^)\s#]+)(?=(#[^)\s]*)?\))")


def _is_page(path: PurePosixPath) -> bool:
    return any(path.match(p) and len(path.parts) == len(PurePosixPath(p).parts) for p in include_patterns)


def _rewrite(app, docname: str, source: list[str]) -> None:
    folder = PurePosixPath(docname).parent

    def target(match: re.Match) -> str:
        link = match[1]
        if "://" in link or link.startswith("mailto:"):
            return link
        path = PurePosixPath(os.path.normpath(folder / link))
        if path.parts[:1] == ("..",) or not (root / path).exists():
            raise FileNotFoundError(f"{docname}.md links to {link}, which does not exist")
        if path == PurePosixPath("README.md"):
            return os.path.relpath("docs/index.md", folder)
        if (root / path).is_dir() and (root / path / "README.md").exists():
            path /= "README.md"
        if _is_page(path) or path.suffix in {".png", ".svg"}:
            return os.path.relpath(path, folder)
        return f"{_source}/{path}"

    # A diagram of Mermaid needs a program of 3 MB to be drawn; its text is read as well.
    source[0] = _link.sub(target, source[0]).replace("```mermaid", "```text")
    if docname == root_doc:
        source[0] += _contents(source[0])


def _contents(index: str) -> str:
    """The sidebar's trees: what the lists of the first page link to, under its headings."""
    trees = ""
    for section in index.split("\n## ")[1:]:
        heading, _, body = section.partition("\n")
        pages = "\n".join(re.findall(r"\]\(([^)#]+\.md)\)", body))
        trees += f"\n```{{toctree}}\n:hidden:\n:caption: {heading}\n\n{pages}\n```\n"
    return trees


def _lead_in(app, exception) -> None:
    """The site's first page is where people look for it."""
    if exception is None:
        first = '<!doctype html><title>fanout</title><meta http-equiv="refresh" content="0; url=docs/index.html"><a href="docs/index.html">fanout</a>\n'
        (Path(app.outdir) / "index.html").write_text(first)


def setup(app):
    app.connect("source-read", _rewrite)
    app.connect("build-finished", _lead_in)
