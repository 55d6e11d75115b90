"""Records what a kernel says while nbclient executes the corpus.

    python record.py [NAME...]

For each notebook in in/ it writes transcripts/NAME.jsonl, the messages in the
order nbclient received them, and transcripts/NAME.ipynb, what nbclient made
of these very messages. Paths of libraries are taken out of the messages
before nbclient sees them. It needs nbclient and ipykernel.
"""

import asyncio
import base64
import json
import sys
import tempfile
from pathlib import Path

import nbformat
from jupyter_client.jsonutil import json_default
from nbclient import NotebookClient
from nbclient.client import CellExecutionComplete
from nbclient.exceptions import CellExecutionError, DeadKernelError

from make import HERE, scrub

# Too large, or nothing but messages that are there already.
SKIP = {"stream-many", "display-big", "display-images"}


def clean(v):
    if isinstance(v, str):
        return scrub(v)
    if isinstance(v, list):
        return [clean(x) for x in v]
    if isinstance(v, dict):
        return {k: clean(x) for k, x in v.items()}
    return v


class Recorder(NotebookClient):
    def note(self, **line):
        self.lines.append(json.dumps(line, default=json_default, sort_keys=True, ensure_ascii=False))

    def message(self, channel, msg):
        head = {k: msg["header"][k] for k in ("msg_id", "msg_type", "date")}
        self.note(channel=channel, header=head, parent={"msg_id": msg["parent_header"].get("msg_id", "")},
                  content=clean(msg["content"]), buffers=[base64.b64encode(b).decode() for b in msg["buffers"]])

    async def _async_poll_output_msg(self, parent_msg_id, cell, cell_index):
        self.note(begin=cell_index)
        self.requests.add(parent_msg_id)
        while True:
            msg = await self.kc.iopub_channel.get_msg(timeout=None)
            msg["content"] = clean(msg["content"])
            parent = msg["parent_header"].get("msg_id")
            if not parent or parent in self.requests:  # not the client's own questions
                self.message("iopub", msg)
            if msg["parent_header"].get("msg_id") == parent_msg_id:
                try:
                    self.process_message(msg, cell, cell_index)
                except CellExecutionComplete:
                    return


def record(name):
    nb = nbformat.read(HERE / "in" / f"{name}.ipynb", 4)
    client = Recorder(nb)
    client.lines, client.requests = [], set()
    client.on_cell_executed = lambda cell, cell_index, execute_reply: client.message("shell", execute_reply)
    with tempfile.TemporaryDirectory() as d:
        client.resources = {"metadata": {"path": d}}
        try:
            client.execute()
        except (CellExecutionError, DeadKernelError) as e:
            print(f"{name}: {type(e).__name__}")
        client.set_widgets_metadata()
    out = HERE / "transcripts"
    out.mkdir(exist_ok=True)
    (out / f"{name}.jsonl").write_text("\n".join(client.lines) + "\n")
    (out / f"{name}.ipynb").write_text(nbformat.writes(nb))


if __name__ == "__main__":
    for path in sorted((HERE / "in").glob("*.ipynb")):
        if path.stem not in SKIP and (not sys.argv[1:] or path.stem in sys.argv[1:]):
            record(path.stem)
