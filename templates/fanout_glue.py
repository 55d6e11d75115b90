"""Record values in a notebook, where fanout and scrapbook find them.

    from fanout_glue import glue

    glue("auc", 0.93)                # a number, text, None, date, list or dict
    glue("by_day", df)               # a pandas or polars frame, a pyarrow table
    glue("roc", fig, display=True)   # a figure, shown and recorded

What an object becomes is in fanout's docs/scraps.md. An object that is neither
a value nor a picture is recorded as what it shows, with a warning here and a
problem in the tables.

It writes scrapbook's form, version 1, so scrapbook reads it, too. It needs
nothing but IPython; frames need pyarrow. fanout puts this file last on the
kernel's path, so a module of your own with this name takes precedence. Under
the name ``scrapbook`` it replaces that package's ``glue`` if that is missing.
"""

import array
import base64
import collections.abc
import dataclasses
import datetime
import decimal
import enum
import io
import json
import math
import numbers
import os
import sys
import uuid
import warnings

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
    if encoder not in (None, "text", "json", "pandas", "display"):
        raise ValueError(f"glue({name!r}): unknown encoder {encoder!r}; want text, json, pandas or display")
    notes = []  # what a reader of the value must know
    chosen, payload, wrong = _encoded(name, data, encoder, notes)
    if chosen != "display":
        _warn(name, notes)
        value = {"name": name, "data": payload, "encoder": chosen, "version": _VERSION}
        _publish(name, {f"{_PREFIX}{chosen}+json": value}, _label(name, notes, data=True))
    if display if display is not None else chosen == "display":
        _show(name, data, display, wrong if display is None else None)


def _encoded(name, data, encoder, notes):
    """The encoder, the payload, and why there is none."""
    if encoder == "display":
        return encoder, None, None
    try:
        return (*_payload(data, encoder, notes), None)
    except MemoryError:
        raise
    except Exception as error:  # whatever a foreign object raises
        if encoder is not None or _is_frame(data):
            raise TypeError(f"glue({name!r}): {error}") from error
        return "display", None, _sentence(error)


def _payload(data, encoder, notes):
    if encoder == "pandas" or encoder is None and _is_frame(data):
        return "pandas", _parquet(data, notes)
    if encoder == "text":
        return encoder, str(data)
    value = _jsonable(data)
    if value is None:
        return "json", "null"  # scrapbook's schema refuses null; its reader parses the text
    if isinstance(value, str) and encoder is None and not isinstance(value, _Special):
        return "text", value  # as JSON, scrapbook's reader would parse it
    json.dumps(value)  # refuses ints that are too long
    return "json", value


def _warn(name, notes):
    for note in notes:
        warnings.warn(f"glue({name!r}): {note}", stacklevel=3)


# Values.


class _Special(str):
    """A number that JSON does not have. Jupyter makes these strings anyway; as strings they survive everywhere."""


def _float(x):
    return x if math.isfinite(x) else _Special({"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(x)])


def _jsonable(data):
    """The value as JSON has it, without losing anything JSON can hold."""
    if isinstance(data, enum.Enum):
        return _jsonable(data.value)
    if data is None or isinstance(data, bool):
        return data
    if isinstance(data, str):
        return str(data)
    if isinstance(data, int):
        return int(data)
    if isinstance(data, float):
        return _float(float(data))
    return _foreign(data)


def _native(data):
    if isinstance(data, numbers.Number):
        return _number(data)
    if isinstance(data, datetime.timedelta):
        return data / datetime.timedelta(seconds=1)
    if isinstance(data, (datetime.date, datetime.time)):
        return data.isoformat()
    if isinstance(data, (bytes, bytearray, memoryview)):
        return base64.b64encode(bytes(data)).decode("ascii")
    if isinstance(data, uuid.UUID):
        return str(data)
    if isinstance(data, os.PathLike):
        return str(os.fspath(data))
    return _container(data)


def _number(data):
    if isinstance(data, numbers.Integral):
        return int(data)
    if isinstance(data, decimal.Decimal):
        if data.is_finite() and data.as_tuple().exponent >= 0 and data.adjusted() < 400:
            return int(data)
        return _float(float(data)) if data.adjusted() < 308 or not data.is_finite() else str(data)
    if isinstance(data, numbers.Real):
        return _float(float(data))
    return str(complex(data))


def _container(data):
    if hasattr(data, "_asdict"):  # a named tuple
        return _object(data._asdict().items())
    if isinstance(data, collections.abc.Mapping):
        return _object(data.items())
    if isinstance(data, collections.abc.Set) and not isinstance(data, collections.abc.Sequence):
        return [_jsonable(value) for value in _sorted(data)]
    if isinstance(data, (collections.abc.Sequence, collections.abc.ValuesView, array.array)) or type(data).__name__ == "deque":
        return [_jsonable(value) for value in data]
    if dataclasses.is_dataclass(data) and not isinstance(data, type):
        return _object((f.name, getattr(data, f.name)) for f in dataclasses.fields(data))
    raise TypeError(f"{_described(data)} is no value that JSON has")


def _described(data):
    kind = type(data)
    return f"an object of type {kind.__name__}" if kind.__module__ in ("builtins", "__main__") else f"an object of type {kind.__module__}.{kind.__qualname__}"


def _sorted(data):
    try:
        return sorted(data)
    except TypeError:
        return sorted(data, key=lambda value: (type(value).__name__, repr(value)))


def _object(items):
    """A JSON object, or a list of pairs if two keys have one text."""
    pairs = [(key, _jsonable(value)) for key, value in items]
    named = {_key(key): value for key, value in pairs}
    if len(named) == len(pairs):
        return named
    return [[_jsonable(key), value] for key, value in pairs]


def _key(key):
    if isinstance(key, (str, bool)) or key is None:
        return str(_jsonable(key))
    if isinstance(key, tuple):
        return str(tuple(_jsonable(part) for part in key))
    value = _jsonable(key)
    return value if isinstance(value, str) else str(value)


# Values of other packages, found without importing any.


def _module(data):
    return type(data).__module__.partition(".")[0]


def _is_a(data, *names):
    """Whether its class, or one of those it is made of, has the name "package.Class"."""
    return any(f"{c.__module__.partition('.')[0]}.{c.__name__}" in names for c in type(data).__mro__)


def _foreign(data):
    if type(data).__name__ in ("NAType", "NaTType", "MaskedConstant"):
        return None
    if _is_a(data, "numpy.ndarray"):
        if hasattr(data, "unit") or hasattr(data, "units"):
            raise TypeError(f"{_described(data)} has a unit that JSON does not have; record its number and its unit")
        return _array(data)
    if _is_a(data, "numpy.generic"):
        return _numpy_scalar(data)
    if _module(data) == "pandas":
        return _pandas_value(data)
    if _is_a(data, "polars.Series"):
        return _polars_series(data)
    if _is_a(data, "pyarrow.Scalar"):
        return _jsonable(data.as_py())
    if _is_a(data, "pyarrow._PandasConvertible"):
        return [_jsonable(value) for value in data.to_pylist()]
    if _is_a(data, "pandas.Series", "pandas.Index"):
        return _pandas_value(data)
    if hasattr(data, "dtype") and hasattr(data, "shape") and hasattr(data, "tolist"):  # a tensor
        return _jsonable(data.tolist())
    return _native(data)


def _array(data):
    if data.dtype.kind in "biuU" or data.dtype.kind == "f" and data.dtype.itemsize <= 8:
        return _jsonable(data.tolist())
    if data.ndim == 0:
        return _jsonable(data[()])
    return [_jsonable(value) for value in data]


def _numpy_scalar(data):
    kind = data.dtype.kind
    if kind == "M":
        return _moment(data)
    if kind == "m":
        return _seconds(data)
    if kind == "V" and data.dtype.names:
        return _object((name, data[name]) for name in data.dtype.names)
    if kind == "V":
        return _native(data.tobytes())
    if kind == "f":
        return _float(float(data))
    if kind == "c":
        return str(complex(data))
    value = data.item()
    return _jsonable(value)


def _unit(data):
    return sys.modules["numpy"].datetime_data(data.dtype)[0]


def _moment(data):
    """A datetime64 as ISO text that does not depend on the unit."""
    if data != data:  # NaT
        return None
    unit = _unit(data)
    if unit in ("Y", "M", "W", "D"):
        return str(data.astype("datetime64[D]"))
    if unit in ("h", "m"):
        data = data.astype("datetime64[s]")
    return _without_zeros(str(data))


def _without_zeros(text):
    """ISO text with no fraction, or with one of 6 digits if they suffice."""
    whole, point, fraction = text.partition(".")
    fraction = fraction.rstrip("0")
    if not fraction:
        return whole
    return whole + point + fraction.ljust(6 if len(fraction) <= 6 else 9, "0")


def _seconds(data):
    """A timedelta64 in seconds, whatever its unit."""
    if data != data:
        return None
    unit = _unit(data)
    if unit == "generic":
        return int(data.astype("int64"))
    if unit in ("Y", "M"):  # which are of different lengths
        return str(data)
    return float(data / sys.modules["numpy"].timedelta64(1, "s"))


def _pandas_value(data):
    kind = type(data).__name__
    if kind == "Timestamp":
        return _zoned(data)
    if kind == "Timedelta":
        return _seconds(data.to_timedelta64())
    if kind in ("Period", "Interval"):
        return str(data)
    if _is_a(data, "pandas.Series"):
        return _object(zip(data.index, data))
    if _is_a(data, "pandas.Index", "pandas.ExtensionArray"):
        return [_jsonable(value) for value in data]
    return _native(data)


def _zoned(data):
    """A Timestamp as datetime writes it, with nanoseconds if it has some."""
    text = data.isoformat()
    if data.nanosecond:
        return text
    return data.to_pydatetime(warn=False).isoformat()


def _polars_series(data):
    if "ns" in str(data.dtype):  # which Python's own types do not have
        try:
            return [_jsonable(value) for value in data.to_arrow().to_pylist()]
        except ImportError:
            pass
    return [_jsonable(value) for value in data.to_list()]


# Frames.


def _is_frame(data):
    if _is_a(data, "pandas.DataFrame", "polars.DataFrame", "polars.LazyFrame", "pyarrow.Table", "pyarrow.RecordBatch"):
        return True
    return hasattr(data, "__arrow_c_stream__") and hasattr(data, "columns")


def _parquet(data, notes):
    """A frame as base64 of Parquet. Columns that Parquet cannot hold are text."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise TypeError("a frame needs pyarrow: pip install pyarrow") from None
    table = _table(pyarrow, data, notes)
    sink = io.BytesIO()
    _write(pyarrow, table, sink, notes)
    return base64.b64encode(sink.getvalue()).decode("ascii")


def _table(pyarrow, data, notes):
    if _is_a(data, "pandas.DataFrame"):
        return _from_pandas(pyarrow, data, notes)
    if _is_a(data, "polars.LazyFrame"):
        data = data.collect()
    if _is_a(data, "polars.DataFrame"):
        return _from_polars(pyarrow, data, notes)
    if _is_a(data, "pyarrow.RecordBatch"):
        return pyarrow.Table.from_batches([data])
    return data if _is_a(data, "pyarrow.Table") else pyarrow.table(data)


def _from_pandas(pyarrow, data, notes):
    data = data.copy(deep=False)
    data.columns = _unique(data.columns, notes)
    data.index = _plain_index(data.index)
    for name, dtype in zip(data.columns, data.dtypes):
        if _is_spelled(dtype):
            data[name] = _text_column(data[name])
        elif type(dtype).__name__ == "SparseDtype":
            data[name] = data[name].sparse.to_dense()
        elif getattr(dtype, "kind", "") == "f" and dtype.itemsize > 8:
            data[name] = data[name].astype("float64")
    try:
        return pyarrow.Table.from_pandas(data)
    except Exception:
        pass
    for name in data.columns:
        try:
            pyarrow.array(data[name], from_pandas=True)
        except Exception as error:
            _note_text(name, error, notes)
            data[name] = _text_column(data[name])
    return pyarrow.Table.from_pandas(data)


def _text_column(column):
    return column.astype(object).map(_text, na_action="ignore").astype(object)


def _note_text(name, error, notes):
    notes.append(f"the column {str(name)!r} is recorded as text: {_sentence(error)}")


def _is_spelled(dtype):
    """Periods, intervals and complex numbers, which files have no type for."""
    categories = getattr(dtype, "categories", None)
    if categories is not None:
        return _is_spelled(categories.dtype)
    return getattr(dtype, "kind", "") == "c" or type(dtype).__name__ in ("PeriodDtype", "IntervalDtype")


def _plain_index(index):
    if type(index).__name__ == "MultiIndex":
        return index.set_levels([_plain_index(level) for level in index.levels])
    if _is_spelled(index.dtype) or index.dtype == object and len({type(value) for value in index}) > 1:
        return index.astype(object).map(_text, na_action="ignore")
    return index


def _unique(names, notes):
    """Names of columns whose texts differ."""
    if len({_column_name(name) for name in names}) == len(names):
        return names
    taken, out = set(), []
    for name in map(_column_name, names):
        free, n = name, 1
        while free in taken:
            n += 1
            free = f"{name}_{n}"
        if free != name:
            notes.append(f"the column {name!r}, of which there are several, is recorded as {free!r}")
        taken.add(free)
        out.append(free)
    return out


def _column_name(name):
    return name if isinstance(name, str) else str(name)


def _from_polars(pyarrow, data, notes):
    columns = []
    for name in data.columns:
        column = data[name]
        try:
            columns.append(_arrow_of(column))
        except Exception as error:
            _note_text(name, error, notes)
            columns.append(_texts(pyarrow, column.to_list()))
    return pyarrow.table(columns, names=data.columns)


def _arrow_of(column):
    """A polars column for Parquet, which has no integers of 128 bits."""
    if str(column.dtype) in ("Int128", "UInt128"):
        column = column.cast(sys.modules["polars"].Decimal(38, 0))
    elif "Int128" in str(column.dtype):
        raise TypeError("it holds integers of 128 bits")
    if str(column.dtype) == "Object":
        raise TypeError("it holds Python objects")
    return column.to_arrow()


def _write(pyarrow, table, sink, notes):
    """Write a table as Parquet, with columns as text that Parquet cannot hold."""
    table = table.rename_columns([str(name) for name in _unique(table.column_names, notes)])
    for i, name in enumerate(table.column_names):
        column = table.column(i)
        try:
            stored = _stored(pyarrow, column)
        except Exception as error:
            _note_text(name, error, notes)
            stored = _texts(pyarrow, column.to_pylist())
        if stored is not column:
            table = table.set_column(i, name, stored)
    # fanout asks for plain bytes where there are secrets: it finds none in what is compressed.
    compression = "none" if os.environ.get("FANOUT_PLAIN_FRAMES") else "snappy"
    pyarrow.parquet.write_table(table, sink, compression=compression)


def _stored(pyarrow, column):
    """The column if Parquet can hold it, or an equal one; else an error."""
    if getattr(column.type, "extension_name", "").startswith("pandas."):  # a period's number would say nothing
        values = column.to_pandas()
        return _texts(pyarrow, [None if gone else value for value, gone in zip(values, values.isna())])
    if str(column.type).startswith("run_end_encoded"):
        import pyarrow.compute

        column = pyarrow.compute.run_end_decode(column)
    pyarrow.parquet.write_table(pyarrow.table([column.slice(0, 0)], names=["column"]), io.BytesIO())
    return column


def _texts(pyarrow, values):
    return pyarrow.array([None if value is None else _text(value) for value in values], pyarrow.string())


def _text(value):
    """A value in a column of text."""
    if isinstance(value, str):
        return value
    try:
        value = _jsonable(value)
    except Exception:
        return str(value)
    return value if isinstance(value, str) else json.dumps(value)


def _sentence(error):
    return str(error).strip().partition("\n")[0][:200]


# What is shown.


_PICTURES = ("image/", "video/", "application/pdf", "application/vnd.plotly", "application/vnd.vega", "application/vnd.bokeh")


def _is_picture(data, bundle):
    return _module(data) == "IPython" or any(mime.startswith(_PICTURES) for mime in bundle)


def _figure(data):
    """The matplotlib figure that an object is, or is drawn in."""
    if _is_a(data, "matplotlib.Figure"):
        return data
    if _is_a(data, "matplotlib.Artist"):
        return data.get_figure()
    figure = getattr(data, "figure", None) if _module(data) == "seaborn" else None
    return figure if _is_a(figure, "matplotlib.Figure") else None


def _show(name, data, show, wrong):
    """Show and record data. wrong says why that is all there is to it."""
    kwargs = {"include": list(show)} if isinstance(show, (tuple, list)) else dict(show) if isinstance(show, dict) else {}
    bundle, metadata = ({"text/plain": _described(data)}, {}) if wrong and not _has_repr(data) else _formatted(data, kwargs)
    notes = [f"{wrong}: only what it shows is recorded"] if wrong and not _is_picture(data, bundle) else []
    if notes:
        warnings.warn(f"glue({name!r}): {notes[0]}", stacklevel=3)
    metadata = dict(metadata)
    metadata.update(_label(name, notes, display=True))
    _send(name, bundle, metadata)


def _has_repr(data):
    try:
        return bool(repr(data))
    except Exception:  # an int that is too long, a list that holds itself too deep
        return False


def _formatted(data, kwargs):
    from IPython.core.interactiveshell import InteractiveShell

    if not InteractiveShell.initialized():
        raise RuntimeError("glue: there is no notebook to show this in")
    figure = _figure(data)
    if figure is None and hasattr(data, "_ipython_display_"):
        return _own_forms(data), {}
    bundle, metadata = InteractiveShell.instance().display_formatter.format(data if figure is None else figure, **kwargs)
    if figure is not None and not any(mime.startswith("image/") for mime in bundle):
        bundle = dict(bundle, **{"image/png": _png(figure)})
    return bundle, metadata


def _png(figure):
    sink = io.BytesIO()
    figure.savefig(sink, format="png", bbox_inches="tight")
    return base64.b64encode(sink.getvalue()).decode("ascii")


def _own_forms(data):
    """The forms of an object that would display itself."""
    bundle = {"text/plain": repr(data)[:1000]}
    if hasattr(data, "_repr_mimebundle_"):
        made = data._repr_mimebundle_()
        bundle.update(made[0] if isinstance(made, tuple) else made or {})
    if "text/html" not in bundle and hasattr(data, "_repr_html_"):
        html = data._repr_html_()
        if html:
            bundle["text/html"] = html
    return bundle


def _label(name, notes, data=False, display=False):
    label = {"name": name, "data": data, "display": display}
    if notes:
        label["problems"] = [str(note)[:500] for note in notes[:20]]
    return {"scrapbook": label}


def _publish(name, bundle, metadata):
    # A round trip finds what is no JSON here, where the traceback helps.
    bundle = json.loads(json.dumps(bundle, allow_nan=False))
    _send(name, bundle, metadata)


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
