package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
)

// A gluedCase is an object that a notebook records, and what is then in the
// tables: its value as JSON, "picture" or "shown" (which is a problem), or the
// rows of its table as JSON lists. problem is a part of what the problem says.
type gluedCase struct{ object, want, problem string }

const gluedImports = `import array, collections, dataclasses, datetime as dt, decimal, enum, fractions, pathlib, types, uuid
from zoneinfo import ZoneInfo
import numpy as np, pandas as pd, polars as pl, pyarrow as pa
import scipy.sparse
import matplotlib; matplotlib.use("agg")
import matplotlib.pyplot as plt
from fanout_glue import glue
D = decimal.Decimal
class Color(enum.Enum): RED = 1
class Word(str, enum.Enum): A = "x"
@dataclasses.dataclass
class Point: x: int = 1; y: object = None
Pair = collections.namedtuple("Pair", "a b")
class Odd: pass
class Loud:
    def _repr_html_(self): return "<b>loud</b>"
class Chart:
    def _ipython_display_(self): print("drawn elsewhere")
    def _repr_mimebundle_(self, *args, **kwargs): return {"application/vnd.plotly.v1+json": {"data": []}, "text/html": "<p>chart</p>"}
class Quantity(np.ndarray):
    unit = "km"
`

var glued = []gluedCase{
	// Times: no unit changes the value.
	{`np.timedelta64(90, "s")`, `90.0`, ""}, {`np.timedelta64(90_000, "ms")`, `90.0`, ""}, {`np.timedelta64(90 * 10**6, "us")`, `90.0`, ""},
	{`np.timedelta64(90 * 10**9, "ns")`, `90.0`, ""}, {`np.timedelta64(90 * 10**12, "ps")`, `90.0`, ""}, {`np.timedelta64(2, "D")`, `172800.0`, ""},
	{`np.timedelta64(2, "M")`, `"2 months"`, ""}, {`np.timedelta64("NaT", "s")`, `null`, ""}, {`pd.Timedelta("90s").as_unit("s")`, `90.0`, ""}, {`pd.Timedelta("1ns")`, `1e-09`, ""},
	{`dt.timedelta(days=1, microseconds=1)`, `86400.000001`, ""}, {`pl.Series([dt.timedelta(seconds=90)], dtype=pl.Duration("ns"))`, `[90.0]`, ""},
	{`pa.scalar(90, pa.duration("s"))`, `90.0`, ""}, {`pa.array([90 * 10**9], pa.duration("ns"))`, `[90.0]`, ""},
	{`np.array([90 * 10**9, "NaT"], "timedelta64[ns]")`, `[90.0,null]`, ""}, {`np.array([[90, 1]], "timedelta64[s]")`, `[[90.0,1.0]]`, ""},
	{`np.datetime64("2026-01-01T00:01:30", "s")`, `"2026-01-01T00:01:30"`, ""}, {`np.datetime64("2026-01-01T00:01:30", "ns")`, `"2026-01-01T00:01:30"`, ""},
	{`np.datetime64("2026-01-01T12", "h")`, `"2026-01-01T12:00:00"`, ""}, {`np.datetime64("2026-01-01T00:00:00.5", "ms")`, `"2026-01-01T00:00:00.500000"`, ""},
	{`np.datetime64("2026-01-01T00:00:00.123456789")`, `"2026-01-01T00:00:00.123456789"`, ""}, {`np.datetime64("2026-01")`, `"2026-01-01"`, ""}, {`np.datetime64("2026")`, `"2026-01-01"`, ""},
	{`np.datetime64("NaT")`, `null`, ""}, {`np.array(["2026-01-01T00:00:01"], "datetime64[ns]")`, `["2026-01-01T00:00:01"]`, ""},
	{`pd.Timestamp("2026-01-01", tz="Europe/Berlin")`, `"2026-01-01T00:00:00+01:00"`, ""}, {`pd.Timestamp("2026-01-01").as_unit("ns")`, `"2026-01-01T00:00:00"`, ""},
	{`dt.datetime(2026, 1, 1, tzinfo=ZoneInfo("Asia/Tokyo"))`, `"2026-01-01T00:00:00+09:00"`, ""}, {`dt.time(1, 2)`, `"01:02:00"`, ""},
	{`pd.Period("2026-01")`, `"2026-01"`, ""}, {`pd.Period("2026")`, `"2026"`, ""}, {`pd.Interval(0, 1)`, `"(0, 1]"`, ""}, {`pd.NaT`, `null`, ""}, {`pd.NA`, `null`, ""},
	{`pd.date_range("2026-01-01", periods=2)`, `["2026-01-01T00:00:00","2026-01-02T00:00:00"]`, ""}, {`pd.period_range("2026-01", periods=2, freq="M")`, `["2026-01","2026-02"]`, ""},

	// Numbers.
	{`np.longdouble("0.5")`, `0.5`, ""}, {`np.float32(0.25)`, `0.25`, ""}, {`np.uint64(2**64 - 1)`, `18446744073709551615`, ""}, {`np.bool_(True)`, `true`, ""},
	{`np.array(5)`, `5`, ""}, {`np.array([1.0, np.nan, -np.inf])`, `[1.0,"NaN","-Infinity"]`, ""}, {`D("1.10")`, `1.1`, ""}, {`D("NaN")`, `"NaN"`, ""}, {`D("1E+3")`, `1000`, ""},
	{`fractions.Fraction(1, 4)`, `0.25`, ""}, {`1 + 2j`, `"(1+2j)"`, ""}, {`np.complex128(1)`, `"(1+0j)"`, ""}, {`10**30`, `1000000000000000000000000000000`, ""},
	{`10**5000`, `shown`, "Exceeds the limit"}, {`1.7976931348623157e308`, `1.7976931348623157e+308`, ""}, {`5e-324`, `5e-324`, ""}, {`-0.0`, `-0.0`, ""},
	{`pa.scalar(D("1.1"))`, `1.1`, ""}, {`pa.scalar(None, pa.int64())`, `null`, ""}, {`array.array("d", [1.5])`, `[1.5]`, ""},

	// Texts.
	{`"NaN"`, `"NaN"`, ""}, {`"7"`, `"7"`, ""}, {`np.str_("7")`, `"7"`, ""}, {`pathlib.PurePosixPath("7")`, `"7"`, ""}, {`pathlib.PurePosixPath("NaN")`, `"NaN"`, ""},
	{`uuid.UUID(int=1)`, `"00000000-0000-0000-0000-000000000001"`, ""}, {`b"abc"`, `"YWJj"`, ""}, {`np.bytes_(b"abc")`, `"YWJj"`, ""}, {`Color.RED`, `1`, ""}, {`Word.A`, `"x"`, ""},

	// Lists and objects.
	{`np.ma.array([1, 2], mask=[0, 1])`, `[1,null]`, ""}, {`np.ma.masked`, `null`, ""}, {`np.array([(1, 2.0)], dtype=[("a", int), ("b", float)])`, `[{"a":1,"b":2.0}]`, ""},
	{`np.array([(90, 1)], dtype=[("t", "timedelta64[s]"), ("n", int)])[0]`, `{"n":1,"t":90.0}`, ""}, {`np.array([1, "a", None, dt.date(2026, 1, 1)], dtype=object)`, `[1,"a",null,"2026-01-01"]`, ""},
	{`pd.Series([1, 2, 3], index=["a", "a", "b"])`, `[["a",1],["a",2],["b",3]]`, ""}, {`pd.Series([1, 2], index=[1, "1"])`, `[[1,1],["1",2]]`, ""}, {`pd.Series([1, None], dtype="Int64")`, `{"0":1,"1":null}`, ""},
	{`pd.Series([1.5], index=pd.to_datetime(["2026-01-01"]))`, `{"2026-01-01T00:00:00":1.5}`, ""}, {`pd.Series([1], index=pd.MultiIndex.from_tuples([("a", 1)]))`, `{"('a', 1)":1}`, ""},
	{`pd.Series(pd.arrays.SparseArray([0, 1]))`, `{"0":0,"1":1}`, ""}, {`pd.Categorical(["a", "b", None])`, `["a","b","NaN"]`, ""}, {`pd.array([1, None], dtype="Int64")`, `[1,null]`, ""}, {`pd.Index([1, 2])`, `[1,2]`, ""},
	{`pl.Series([1, None])`, `[1,null]`, ""}, {`pl.Series([2**100], dtype=pl.Int128)`, `[1267650600228229401496703205376]`, ""}, {`pa.array([{"a": 1}])`, `[{"a":1}]`, ""}, {`pa.chunked_array([[1], [2]])`, `[1,2]`, ""},
	{`{1: 1, "1": 2}`, `[[1,1],["1",2]]`, ""}, {`{dt.date(2026, 1, 1): np.int64(1)}`, `{"2026-01-01":1}`, ""}, {`{"a": {"b": [np.float32(1), {"c": float("inf")}]}}`, `{"a":{"b":[1.0,{"c":"Infinity"}]}}`, ""},
	{`{3, 1}`, `[1,3]`, ""}, {`{1, "a"}`, `[1,"a"]`, ""}, {`range(3)`, `[0,1,2]`, ""}, {`collections.deque([1])`, `[1]`, ""}, {`{"a": 1}.keys()`, `["a"]`, ""}, {`types.MappingProxyType({"a": 1})`, `{"a":1}`, ""},
	{`Pair(1, 2)`, `{"a":1,"b":2}`, ""}, {`Point(2, Point())`, `{"x":2,"y":{"x":1,"y":null}}`, ""},

	// What is no value, and pictures, which are meant to be none.
	{`Odd()`, `shown`, "an object of type Odd is no value"}, {`{"a": Odd()}`, `shown`, "an object of type Odd is no value"}, {`Loud()`, `shown`, "type Loud"}, {`pl.col("a")`, `shown`, "polars"},
	{`(i for i in [1])`, `shown`, "type generator"}, {`len`, `shown`, "no value"}, {`scipy.sparse.csr_matrix([[1, 0]])`, `shown`, "csr_matrix"}, {`np.ones(2).view(Quantity)`, `shown`, "has a unit"},
	{`plt.subplots()[0]`, `picture`, ""}, {`plt.subplots()[1]`, `picture`, ""}, {`Chart()`, `picture`, ""},

	// Frames: rows, or the problem of a column that became text.
	{`pd.DataFrame({"p": pd.PeriodIndex(["2026-01", None], freq="M"), "v": [1, 2]})`, `[["2026-01",1],[null,2]]`, ""}, {`pa.Table.from_pandas(pd.DataFrame({"p": pd.PeriodIndex(["2026Q1"], freq="Q")}))`, `[["2026Q1"]]`, ""},
	{`pd.DataFrame({"b": pd.cut([1, 5], [0, 2, 9])})`, `[["(0, 2]"],["(2, 9]"]]`, ""}, {`pd.DataFrame({"v": [1.5]}, index=pd.period_range("2026-01", periods=1, freq="D"))`, `[[1.5,"2026-01-01"]]`, ""},
	{`pd.DataFrame({"m": [1, "a", None]})`, `[["1"],["a"],[null]]`, "the column 'm' is recorded as text"}, {`pd.DataFrame({"c": [1 + 2j]})`, `[["(1+2j)"]]`, ""}, {`pd.DataFrame({"i": [2**70]})`, `[["1180591620717411303424"]]`, "'i' is recorded as text"},
	{`pd.DataFrame([[1, 2, 3]], columns=["a", "a", "b"])`, `[[1,2,3]]`, "'a_2'"}, {`pa.table([[1], [2]], names=["a", "a"])`, `[[1,2]]`, "'a_2'"}, {`pd.DataFrame([[1, 2]], columns=[1, "1"])`, `[[1,2]]`, "'1_2'"},
	{`pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")]))`, `[[1,2]]`, ""}, {`pd.DataFrame()`, `[]`, ""}, {`pd.DataFrame({"a": pd.Series([], dtype=float)})`, `[]`, ""},
	{`pd.DataFrame({"s": pd.arrays.SparseArray([0, 1])})`, `[[0],[1]]`, ""}, {`pd.DataFrame({"f": np.array([0.5], dtype=np.longdouble)})`, `[[0.5]]`, ""}, {`pd.DataFrame({"u": [uuid.UUID(int=1)]})`, `[["00000000-0000-0000-0000-000000000001"]]`, ""},
	{`pa.table({"d": pa.array([D("1.10"), D("-2")], pa.decimal256(76, 2))})`, `[["1.10"],["-2.00"]]`, ""}, {`pa.table({"d": pa.array([D("1" * 60 + ".5"), None], pa.decimal256(76, 1))})`, `[["111111111111111111111111111111111111111111111111111111111111.5"],[null]]`, ""},
	{`pd.DataFrame({"d": [D("9" * 40)]})`, `[["9999999999999999999999999999999999999999"]]`, ""}, {`pa.table({"d": pa.array([D("100")], pa.decimal128(5, -2))})`, `[["100"]]`, "'d' is recorded as text"},
	{`pl.DataFrame({"i": [2**100]}, schema={"i": pl.Int128})`, `[["1267650600228229401496703205376"]]`, ""}, {`pl.DataFrame({"i": [2**127 - 1]}, schema={"i": pl.Int128})`, `[["170141183460469231731687303715884105727"]]`, "'i' is recorded as text"},
	{`pl.DataFrame({"o": [Odd]}, schema={"o": pl.Object})`, `[["<class '__main__.Odd'>"]]`, "'o' is recorded as text"}, {`pl.DataFrame({"t": [90]}, schema={"t": pl.Duration("ms")}).lazy()`, `[["0:00:00.090000"]]`, ""},
	{`pa.table({"l": pa.array([[90]], pa.list_(pa.duration("s")))})`, `[[["0:01:30"]]]`, ""}, {`pa.table({"l": pa.array([[90 * 10**9]], pa.list_(pa.duration("ns")))})`, `[[["0 days 00:01:30"]]]`, ""},
	{`pa.table({"s": pa.array([{"t": 90}], pa.struct([("t", pa.duration("ms"))]))})`, `[[{"t":"0:00:00.090000"}]]`, ""}, {`pa.table({"r": pa.RunEndEncodedArray.from_arrays([2], [5])})`, `[[5],[5]]`, ""},
	{`pa.table({"e": pa.array([{}], pa.struct([]))})`, `[["{}"]]`, "'e' is recorded as text"}, {`pa.table({"m": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64()))})`, `[[[{"key":"a","value":1}]]]`, ""},
}

// Everything that Python code records is a value, a text, a picture that was
// meant to be one, or a problem; and other readers find the same in the tables.
func TestGlueValues(t *testing.T) {
	interpreter := kerneltest.Python(t)
	dir := t.TempDir()
	source := "import warnings; warnings.simplefilter('ignore')\n"
	for i, c := range glued {
		source += "glue(\"v" + strconv.Itoa(i) + "\", " + c.object + ")\n"
	}
	in, out, tables := filepath.Join(dir, "in.ipynb"), filepath.Join(dir, "out.ipynb"), filepath.Join(dir, "tables")
	if err := os.WriteFile(in, notebookOf("python3", "python", []string{"n = 0", gluedImports, source}), 0o666); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := fanout(t, "exec", in, out, "--python", interpreter); code != exitOK {
		t.Fatalf("exec: exit %d\n%s", code, stderr)
	}
	if code, _, stderr := fanout(t, "collect", out, "-o", tables); code != exitOK {
		t.Fatalf("collect: exit %d\n%s", code, stderr)
	}
	words, err := exec.Command(interpreter, "testdata/read_glued.py", tables).Output()
	if err != nil {
		t.Fatalf("read tables: %v\n%s", err, err.(*exec.ExitError).Stderr)
	}
	var got map[string]struct {
		What     string
		Problems []string
	}
	if err := json.Unmarshal(words, &got); err != nil {
		t.Fatalf("%v\n%s", err, words)
	}
	for i, c := range glued {
		g := got["v"+strconv.Itoa(i)]
		if compact(g.What) != compact(c.want) {
			t.Errorf("%s is %s, want %s", c.object, g.What, c.want)
		}
		if said := strings.Join(g.Problems, "; "); (c.problem == "") != (said == "") || !strings.Contains(said, c.problem) {
			t.Errorf("%s: problems %q, want %q", c.object, said, c.problem)
		}
	}
}

func compact(text string) string {
	var b bytes.Buffer
	if json.Compact(&b, []byte(text)) != nil {
		return text
	}
	return b.String()
}
