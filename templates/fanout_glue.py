"""Record values in a notebook, where fanout and scrapbook find them.

    from fanout_glue import glue

    glue("auc", 0.93)                # a number, text, None, list or dict
    glue("by_day", df)               # a pandas or polars frame, a pyarrow table
    glue("roc", fig, display=True)   # a figure, shown and recorded

It writes scrapbook's form, version 1, so scrapbook reads it, too. It needs
nothing but IPython; frames need pyarrow. fanout puts this file last on the
kernel's path, so a module of your own with this name takes precedence. Under
the name ``scrapbook`` it replaces that package's ``glue`` if that is missing.
"""

import base64
import datetime
import decimal
import io
import json
import math
import os

__all__ = ["glue"]

_PREFIX = "application/scrapbook.scrap."
_VERSION = 1


def glue(name, data, encoder=None, display=None):
    """Record data under a name.

    encoder is "text", "json", "pandas" or "display"; by default the value
    decides. display=True also shows the value, and records what was shown; a
    tuple of MIME types limits what is shown.
    """
    if not isinstance(name, str) or not name:
        raise TypeError("glue: the name must be a string that is not empty")
    if encoder is None:
        encoder = _encoder_of(data)
    if encoder not in ("text", "json", "pandas", "display"):
        raise ValueError(f"glue({name!r}): unknown encoder {encoder!r}; want text, json, pandas or display")
    show = display if display is not None else encoder == "display"
    if encoder != "display":
        _publish(name, {f"{_PREFIX}{encoder}+json": _payload(name, data, encoder)}, data=True)
    if show:
        _show(name, data, show)


def _payload(name, data, encoder):
    encode = {"text": str, "json": _jsonable, "pandas": _parquet}[encoder]
    try:
        value = encode(data)
    except TypeError as error:
        raise TypeError(f"glue({name!r}): {error}") from None
    if value is None:
        value = "null"  # scrapbook's schema refuses null; its reader parses the text
    return {"name": name, "data": value, "encoder": encoder, "version": _VERSION}


def _encoder_of(data):
    if isinstance(data, str):
        return "text"
    if _is_frame(data):
        return "pandas"
    try:
        _jsonable(data)
    except TypeError:
        return "display"
    return "json"


def _module(data):
    return type(data).__module__.partition(".")[0]


def _is_frame(data):
    kind = type(data).__name__
    return (_module(data), kind) in {
        ("pandas", "DataFrame"), ("polars", "DataFrame"), ("polars", "LazyFrame"),
        ("pyarrow", "Table"), ("pyarrow", "RecordBatch"),
    }


def _jsonable(data):
    """The value as JSON has it, without losing anything JSON can hold."""
    if data is None or isinstance(data, (bool, str)):
        return data
    if isinstance(data, int):
        return int(data)
    if isinstance(data, float):
        # Jupyter makes these strings anyway; as strings they survive everywhere.
        return float(data) if math.isfinite(data) else {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(float(data))]
    if isinstance(data, (datetime.datetime, datetime.date, datetime.time)):
        return data.isoformat()
    if isinstance(data, datetime.timedelta):
        return data.total_seconds()
    if isinstance(data, decimal.Decimal):
        return str(data)
    if isinstance(data, dict):
        return {str(key): _jsonable(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_jsonable(value) for value in data]
    if isinstance(data, (set, frozenset)):
        return [_jsonable(value) for value in sorted(data)]
    return _foreign(data)


def _foreign(data):
    """Scalars and arrays of numpy and pandas, found without importing either."""
    if _module(data) == "numpy":
        if type(data).__name__ == "datetime64":
            return str(data)
        if hasattr(data, "tolist"):
            return _jsonable(data.tolist())
    if _module(data) == "pandas":
        if type(data).__name__ in ("NAType", "NaTType"):
            return None
        if hasattr(data, "to_dict") and not _is_frame(data):
            return _jsonable(data.to_dict())
        if hasattr(data, "isoformat"):
            return data.isoformat()
    raise TypeError(f"a {type(data).__name__} cannot be recorded as JSON; show it with display=True, or record parts of it")


def _parquet(data):
    """A frame as base64 of Parquet."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise TypeError("a frame needs pyarrow: pip install pyarrow") from None
    if _module(data) == "polars":
        data = (data.collect() if hasattr(data, "collect") else data).to_arrow()
    elif _module(data) == "pandas":
        data = pyarrow.Table.from_pandas(data)
    elif type(data).__name__ == "RecordBatch":
        data = pyarrow.Table.from_batches([data])
    sink = io.BytesIO()
    pyarrow.parquet.write_table(data, sink)
    return base64.b64encode(sink.getvalue()).decode("ascii")


def _show(name, data, show):
    kwargs = {"include": list(show)} if isinstance(show, (tuple, list)) else dict(show) if isinstance(show, dict) else {}
    bundle, metadata = _formatted(data, kwargs)
    metadata = dict(metadata)
    metadata["scrapbook"] = {"name": name, "data": False, "display": True}
    _send(name, bundle, metadata)


def _formatted(data, kwargs):
    from IPython.core.interactiveshell import InteractiveShell

    if not InteractiveShell.initialized():
        raise RuntimeError("glue: there is no notebook to show this in")
    bundle, metadata = InteractiveShell.instance().display_formatter.format(data, **kwargs)
    if not bundle and hasattr(data, "_ipython_display_"):
        raise TypeError("glue: this object displays itself and cannot be recorded; record a picture of it")
    return bundle, metadata


def _publish(name, bundle, data):
    # A round trip finds what is no JSON here, where the traceback helps.
    bundle = json.loads(json.dumps(bundle, allow_nan=False))
    _send(name, bundle, {"scrapbook": {"name": name, "data": data, "display": False}})


def _send(name, bundle, metadata):
    """Publish what a notebook's document keeps."""
    try:
        from IPython.core.interactiveshell import InteractiveShell
        from IPython.display import display
    except ImportError:
        raise RuntimeError("glue: IPython is missing; scraps are recorded in notebooks that a Python kernel executes") from None
    if InteractiveShell.initialized():
        _publisher(name, InteractiveShell.instance()).publish(data=bundle, metadata=metadata)
    elif "FANOUT_KERNEL_ID" in os.environ:
        raise _elsewhere(name)
    else:
        display(bundle, metadata=metadata, raw=True)  # a plain script: shown as text


def _publisher(name, shell):
    """The notebook's publisher, also where %%capture keeps displays from it."""
    kernel = getattr(shell, "kernel", None)
    if getattr(getattr(kernel, "session", None), "pid", os.getpid()) != os.getpid():
        raise _elsewhere(name)
    kind, current = shell.display_pub_class, shell.display_pub
    if isinstance(current, kind) or kernel is None:
        return current
    publisher = kind(parent=shell, shell=shell)
    if hasattr(kind, "pub_socket"):  # of ipykernel
        publisher.session, publisher.pub_socket = kernel.session, kernel.iopub_socket
        publisher.set_parent(shell.get_parent())
    return publisher


def _elsewhere(name):
    return RuntimeError(f"glue({name!r}): only the notebook's own process can record; return the value to it and record it there")
