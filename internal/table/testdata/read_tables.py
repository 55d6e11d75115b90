"""Reads t.parquet, t.arrow and t.arrows with pyarrow, DuckDB and Polars, and
compares types and values with want.json. Prints "agreed", or what differs."""
import datetime, decimal, json, math, sys, os

import duckdb, polars, pyarrow as pa, pyarrow.parquet as pq, pyarrow.ipc as ipc

d = sys.argv[1]
want = json.load(open(os.path.join(d, "want.json")))
wrong = []


def check(who, what, got, expected):
    if got != expected:
        wrong.append(f"{who}: {what}: got {got!r}, want {expected!r}")


def kind(t, meta=None):
    if pa.types.is_list(t):
        return "list of " + kind(t.value_type, t.value_field.metadata)
    if pa.types.is_struct(t):
        return "struct of " + ", ".join(f"{f.name} {kind(f.type, f.metadata)}" for f in t)
    if pa.types.is_timestamp(t):
        return "time" if t.tz else "local time"
    if pa.types.is_decimal(t):
        return "decimal"
    if pa.types.is_string(t):
        return "json" if (meta or {}).get(b"encoding") == b"json" else "string"
    if str(t) == "extension<arrow.json>":  # what newer pyarrow makes of Parquet's JSON
        return "json"
    return {"int64": "int", "double": "float", "date32[day]": "date", "duration[ns]": "duration", "duration[us]": "duration",
            "time64[us]": "clock", "time64[ns]": "clock", "binary": "bytes"}.get(str(t), str(t))


def stamp(v):
    s = v.isoformat()
    if "." in s:
        head, tail = s.split(".", 1)
        digits = tail[:6]
        s = head + "." + digits.rstrip("0") + tail[6:]
    return s.replace("+00:00", "Z")


def plain(v, inside=False):
    """A value as collect's tests write it."""
    if isinstance(v, bool) or v is None or isinstance(v, str):
        return v
    if isinstance(v, int):
        return v if inside else f"number {v}"
    if isinstance(v, decimal.Decimal):
        return f"number {v}"
    if isinstance(v, float):
        if inside:
            return v
        if math.isnan(v):
            return "float NaN"
        if math.isinf(v):
            return "float Infinity" if v > 0 else "float -Infinity"
        return f"float {v!r}"
    if isinstance(v, (datetime.datetime, datetime.date)):
        return stamp(v)
    if isinstance(v, (list, tuple)):
        return [plain(e, True) for e in v]
    if isinstance(v, dict):
        return {k: plain(e, True) for k, e in v.items()}
    return repr(v)


def arrow_table(who, table):
    check(who, "names", table.column_names, list(order))
    for name, w in want.items():
        field = table.schema.field(name)
        check(who, f"type of {name}", kind(field.type, field.metadata), w["type"])
        check(who, f"values of {name}", [plain(v) for v in table[name].to_pylist()], w["values"])


with ipc.open_file(os.path.join(d, "t.arrow")) as f:
    order = f.schema.names
    from_file = f.read_all()
check("arrow", "names", sorted(order), sorted(want))
arrow_table("arrow file", from_file)
from_stream = ipc.open_stream(os.path.join(d, "t.arrows")).read_all()
arrow_table("arrow stream", from_stream)
parquet = pq.read_table(os.path.join(d, "t.parquet"))
arrow_table("parquet", parquet)
strip = lambda m: {k: v for k, v in (m or {}).items() if not k.startswith(b"PARQUET:")}
for a, b in zip(from_file.schema, parquet.schema):
    same_type = str(b.type).replace("extension<arrow.json>", "string") == str(a.type)
    check("parquet", f"field of {a.name}", (same_type, strip(b.metadata), b.nullable), (True, strip(a.metadata), a.nullable))
check("arrow", "metadata", from_file.schema.field("Größe 大小").metadata, {b"role": b"scrap", b"unit": "€".encode(), b"direction": b"maximize"})

# Without the Arrow schema the logical types alone must say the same.
f = pq.ParquetFile(os.path.join(d, "t.parquet"))
logical = {f.schema.column(i).path: str(f.schema.column(i).logical_type) for i in range(len(f.schema))}
for path, w in {"day": "Date", "mixed": "JSON", "text": "String", "nothing": "Null",
                "zoned": "Timestamp(isAdjustedToUTC=true, timeUnit=microseconds", "local": "Timestamp(isAdjustedToUTC=false, timeUnit=microseconds"}.items():
    if not logical[path].startswith(w):
        wrong.append(f"logical type of {path}: {logical[path]}")
meta = f.metadata.row_group(0)
for i in range(meta.num_columns):
    c = meta.column(i)
    if c.compression != "ZSTD":
        wrong.append(f"{c.path_in_schema} is not zstd")
    if c.statistics is None or c.statistics.null_count is None:
        wrong.append(f"{c.path_in_schema} has no statistics")
day = meta.column([meta.column(i).path_in_schema for i in range(meta.num_columns)].index("day")).statistics
check("statistics", "day", (str(day.min), str(day.max), day.null_count), ("1969-12-31", "9999-12-31", 1))

# DuckDB.
con = duckdb.connect()
con.execute("set timezone='UTC'")
rel = con.sql(f"select * from read_parquet('{d}/t.parquet')")
types = dict(zip(rel.columns, map(str, rel.types)))
duck = {"string": "VARCHAR", "int": "BIGINT", "float": "DOUBLE", "bool": "BOOLEAN", "date": "DATE", "time": "TIMESTAMP WITH TIME ZONE", "local time": "TIMESTAMP"}
for name, w in want.items():
    if w["type"] in duck:
        check("duckdb", f"type of {name}", types[name], duck[w["type"]])
    if w["type"] in ("time", "local time", "date", "null", "json"):
        continue
    rows = [r[0] for r in con.sql(f'select "{name}" from read_parquet(\'{d}/t.parquet\')').fetchall()]
    check("duckdb", f"values of {name}", [plain(v) for v in rows], w["values"])
for name in ("zoned", "offset", "local", "day"):
    rows = con.sql(f'select epoch_us("{name}") from read_parquet(\'{d}/t.parquet\')').fetchall()
    expected = con.execute("select epoch_us(cast(x as timestamptz)) from (select unnest(?) x)", [want[name]["values"]]).fetchall()
    check("duckdb", f"instants of {name}", rows, expected)
check("duckdb", "nothing", con.sql(f"select count(nothing), count(*) from read_parquet('{d}/t.parquet')").fetchall(), [(0, len(want["n"]["values"]))])
check("duckdb", "json", con.sql(f"""select mixed->>'$' from read_parquet('{d}/t.parquet') where run_id = 'bbbb'""").fetchall(), [("one",)])

# Polars.
for who, frame in (("polars parquet", polars.read_parquet(f"{d}/t.parquet")), ("polars arrow", polars.read_ipc(f"{d}/t.arrow"))):
    check(who, "names", frame.columns, list(order))
    pol = {"string": "String", "json": "String", "int": "Int64", "float": "Float64", "bool": "Boolean", "date": "Date", "null": "Null"}
    for name, w in want.items():
        t = str(frame.schema[name])
        if w["type"] in pol:
            check(who, f"type of {name}", t, pol[w["type"]])
        if w["type"] == "time":
            check(who, f"type of {name}", t, "Datetime(time_unit='us', time_zone='UTC')")
        check(who, f"values of {name}", [plain(v) for v in frame[name].to_list()], w["values"])

print("\n".join(wrong) if wrong else "agreed")
