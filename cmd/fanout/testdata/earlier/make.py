"""Make a small sweep with a fanout that was built from an earlier commit, and keep it
as text: TestEarlierSweeps reads each of them with the fanout of today.

    python make.py FANOUT PYTHON KIND OUT.txtar      # as root, on Linux

FANOUT is the binary, PYTHON an interpreter with ipykernel, KIND a folder beside this
file. What can be written again (results, summaries, caches) is left out, and of files
that are one with two names the second is a line at the top. The sweep is made on a
machine called laptop, in the folder of a user called ana.
"""

import io
import pathlib
import subprocess
import sys
import tarfile

fanout, python, kind, out = sys.argv[1:]
here = pathlib.Path(__file__).resolve().parent / kind
derived = ("results", "collected", "pages", "summary.ipynb", "summary.html", "summary.md")

script = f"""set -eu
kept=$(mktemp) && cp {fanout} "$kept"
mount -t tmpfs tmpfs /home && hostname laptop
mkdir -p /home/ana/sweeps /home/ana/bin && cd /home/ana && cp "$kept" bin/fanout && chmod +x bin/fanout && rm "$kept"
{python} -m venv --without-pip venv
{python} -c 'import sysconfig; print(sysconfig.get_path("purelib"))' >"$(echo venv/lib/python*/site-packages)/borrowed.pth"
cp {here}/* sweeps/ && cd sweeps
env -i TZ=UTC PATH=/home/ana/bin:/usr/bin:/bin HOME=/home/ana USER=ana LOGNAME=ana fanout run sweep.yaml >&2 || test $? = 3
tar -C *.sweep -cf - .
"""
packed = subprocess.run(["unshare", "--uts", "--mount", "bash", "-c", script], check=True, stdout=subprocess.PIPE).stdout

links, parts = [], []
with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
    for entry in sorted(tar.getmembers(), key=lambda e: e.name):
        name = entry.name.removeprefix("./")
        if name.split("/")[0] in derived or entry.isdir():
            continue
        if entry.islnk():
            links.append(f"{name} = {entry.linkname.removeprefix('./')}\n")
            continue
        text = tar.extractfile(entry).read().decode()  # a file that is no text has no place here
        end = "" if not text or text.endswith("\n") else "\n"
        parts.append(f"-- {name} --\n{text}{end}")
pathlib.Path(out).write_text("".join(links + parts))
