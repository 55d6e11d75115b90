package dialect

import (
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// fromOracle is a value as make_params.py writes it.
func fromOracle(t *testing.T, v any) any {
	t.Helper()
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	if s, ok := m["int"].(string); ok {
		n, _ := new(big.Int).SetString(s, 10)
		if n.IsInt64() {
			return n.Int64()
		}
		return n
	}
	if s, ok := m["float"].(string); ok {
		f, err := json.Number(s).Float64()
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	if l, ok := m["list"].([]any); ok {
		out := []any{}
		for _, e := range l {
			out = append(out, fromOracle(t, e))
		}
		return out
	}
	out := map[string]any{}
	for k, e := range m["dict"].(map[string]any) {
		out[k] = fromOracle(t, e)
	}
	return out
}

var bigs = cmp.Comparer(func(a, b *big.Int) bool { return a.Cmp(b) == 0 })

func TestParametersAsPythonReadsThem(t *testing.T) {
	var cases []struct {
		Source    string
		Papermill []struct {
			Name, Default, Help string
			Type                string `json:"inferred_type_name"`
		}
		Python []struct {
			Name      string
			Annotated bool
			Literal   bool
			Value     any
		}
	}
	if err := json.Unmarshal(read(t, "testdata/params/python.json"), &cases); err != nil {
		t.Fatal(err)
	}
	agreed := 0
	for i, c := range cases {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			ps, err := pyDeclarations(c.Source)
			if err != nil {
				t.Fatalf("%s\n%v", c.Source, err)
			}
			if c.Python != nil {
				type seen struct {
					Name    string
					Literal bool
					Value   any
				}
				var got, want []seen
				for _, p := range ps {
					got = append(got, seen{p.Name, p.HasValue, p.Value})
				}
				for _, p := range c.Python {
					want = append(want, seen{p.Name, p.Literal, fromOracle(t, p.Value)})
				}
				if diff := cmp.Diff(want, got, bigs); diff != "" {
					t.Errorf("%s\n-Python's parser +ours:\n%s", c.Source, diff)
				}
			}
			// Where papermill finds a name with a sound default we find the same.
			ours := map[string]Parameter{}
			for _, p := range ps {
				ours[p.Name] = p
			}
			last := map[string]int{}
			for i, p := range c.Papermill {
				last[p.Name] = i
			}
			for i, p := range c.Papermill {
				o, ok := ours[p.Name]
				if !ok || last[p.Name] != i || slices.ContainsFunc(knownWrong, func(s string) bool { return strings.HasPrefix(c.Source, s) }) || strings.Contains(p.Help, "'") || strings.Contains(p.Default, ";") {
					continue
				}
				agreed++
				if o.Default != p.Default || o.Help != p.Help || p.Type != "None" && o.Type != p.Type {
					t.Errorf("%s\n%s: ours %q (%s) %q, papermill's %q (%s) %q", c.Source, p.Name, o.Default, o.Type, o.Help, p.Default, p.Type, p.Help)
				}
			}
		})
	}
	if agreed < 80 {
		t.Errorf("only %d parameters were compared with papermill's", agreed)
	}
}

// knownWrong are beginnings of cells that papermill's line patterns misread:
// texts of several lines, # in texts, lines joined by backslashes, blocks.
var knownWrong = []string{`a = """multi`, "a = 'has # hash'", `a = 'x' \`, "a = (\n    'long", `a = f"{x!r`, "with x as y", `a = """x"""`}

func TestParametersInDetail(t *testing.T) {
	for name, c := range map[string]struct {
		src  string
		want []Parameter
	}{
		"everything":  {"rate: float = 0.1  # type of loss", []Parameter{{Name: "rate", Type: "float", Default: "0.1", Value: 0.1, HasValue: true, Help: "type of loss", Line: 1}}},
		"choices":     {"\nmode: Literal['fast', \"slow\", 3] = 'fast'", []Parameter{{Name: "mode", Type: `Literal['fast', "slow", 3]`, Default: "'fast'", Value: "fast", HasValue: true, Choices: []any{"fast", "slow", int64(3)}, Line: 2}}},
		"optional":    {"m: Optional[Literal['a']] = None", []Parameter{{Name: "m", Type: "Optional[Literal['a']]", Default: "None", HasValue: true, Choices: []any{"a", nil}, Line: 1}}},
		"any or none": {"m: Optional[str] = None", []Parameter{{Name: "m", Type: "Optional[str]", Default: "None", HasValue: true, Line: 1}}},
		"bar none":    {"m: Literal['a', 'b'] | None = 'a'", []Parameter{{Name: "m", Type: "Literal['a', 'b'] | None", Default: "'a'", Value: "a", HasValue: true, Choices: []any{"a", "b", nil}, Line: 1}}},
		"open":        {"m: Literal['auto'] | float = 1.5", []Parameter{{Name: "m", Type: "Literal['auto'] | float", Default: "1.5", Value: 1.5, HasValue: true, Line: 1}}},
		"quoted":      {"m: 'Literal[1, 2]' = 1", []Parameter{{Name: "m", Type: "Literal[1, 2]", Default: "1", Value: int64(1), HasValue: true, Choices: []any{int64(1), int64(2)}, Line: 1}}},
		"annotated":   {"m: Annotated[Literal['x'], 'doc'] = 'x'", []Parameter{{Name: "m", Type: "Annotated[Literal['x'], 'doc']", Default: "'x'", Value: "x", HasValue: true, Choices: []any{"x"}, Line: 1}}},
		"dotted":      {"d: datetime.date = datetime.date(2024, 1, 2)", []Parameter{{Name: "d", Type: "datetime.date", Default: "datetime.date(2024, 1, 2)", Line: 1}}},
		"lines":       {"a = [  # not help\n  1,\n\n  # nor this\n  2]  # help", []Parameter{{Name: "a", Type: "list", Default: "[1,2]", Value: []any{int64(1), int64(2)}, HasValue: true, Help: "help", Line: 1}}},
		"no default":  {"x: int", []Parameter{{Name: "x", Type: "int", Line: 1}}},
		"magic":       {"%matplotlib inline\n!ls \"x\n?help\nx = 1\ny = !ls 'a\nz = %env HOME", []Parameter{{Name: "x", Type: "int", Default: "1", Value: int64(1), HasValue: true, Line: 4}, {Name: "y", Default: "!ls 'a", Line: 5}, {Name: "z", Default: "%env HOME", Line: 6}}},
		"timed":       {"%%time\nx = 1", []Parameter{{Name: "x", Type: "int", Default: "1", Value: int64(1), HasValue: true, Line: 2}}},
		"other cell":  {"%%bash\nx=1", nil},
		"joined":      {"a = 1; b = 'x'  # h", []Parameter{{Name: "a", Type: "int", Default: "1", Value: int64(1), HasValue: true, Line: 1}, {Name: "b", Type: "str", Default: "'x'", Value: "x", HasValue: true, Help: "h", Line: 1}}},
		"windows":     {"a = 1\r\nb = 2\r\n", []Parameter{{Name: "a", Type: "int", Default: "1", Value: int64(1), HasValue: true, Line: 1}, {Name: "b", Type: "int", Default: "2", Value: int64(2), HasValue: true, Line: 2}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := pyDeclarations(c.src)
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(Parameter{})); diff != "" || err != nil {
				t.Error(err, diff)
			}
		})
	}
}

func TestParametersOfOtherLanguages(t *testing.T) {
	type p = Parameter
	for name, c := range map[string]struct {
		language, src string
		want          []p
	}{
		"R": {"R", "n <- 5  # how many\nname = \"a # b\"\nok <- TRUE; k <- 3L\nv <- c(1,\n  2)\nx.y<--2\nf <- function(a = 1) {\n  inner <- 2\n}\nn == 3\nz <- NULL", []p{
			{Name: "n", Type: "float", Default: "5", Value: 5.0, HasValue: true, Help: "how many", Line: 1},
			{Name: "name", Type: "str", Default: `"a # b"`, Value: "a # b", HasValue: true, Line: 2},
			{Name: "ok", Type: "bool", Default: "TRUE", Value: true, HasValue: true, Line: 3},
			{Name: "k", Type: "int", Default: "3L", Value: int64(3), HasValue: true, Line: 3},
			{Name: "v", Default: "c(1,\n  2)", Line: 4},
			{Name: "x.y", Type: "float", Default: "-2", Value: -2.0, HasValue: true, Line: 6},
			{Name: "f", Default: "function(a = 1) {\n  inner <- 2\n}", Line: 7},
			{Name: "z", Default: "NULL", HasValue: true, Line: 11},
		}},
		"Julia": {"julia", "n = 5 # count\nconst r::Float64 = 0.5\ns = \"x\"\nt = \"a$n\"\nf(x) = 2x\nz = nothing", []p{
			{Name: "n", Type: "int", Default: "5", Value: int64(5), HasValue: true, Help: "count", Line: 1},
			{Name: "r", Type: "Float64", Default: "0.5", Value: 0.5, HasValue: true, Line: 2, keyword: "const"},
			{Name: "s", Type: "str", Default: `"x"`, Value: "x", HasValue: true, Line: 3},
			{Name: "t", Type: "str", Default: `"a$n"`, Line: 4},
			{Name: "z", Default: "nothing", HasValue: true, Line: 6},
		}},
		"bash": {"bash", "n=5 # count\nexport name='a b'\nlist=(1 2\n 3)\nif true; then\n  x=1\nfi\na[0]=1\nurl=http://x/#y", []p{
			{Name: "n", Default: "5", Help: "count", Line: 1},
			{Name: "name", Default: "'a b'", Line: 2, keyword: "export"},
			{Name: "list", Default: "(1 2\n 3)", Line: 3},
			{Name: "url", Default: "http://x/#y", Line: 9},
		}},
		"JavaScript": {"javascript", "let n = 5; // count\nconst s = \"x\";\nvar o = {\n  a: 1,\n};\nbare = 'q'\nconst f = (a) => a;\nn === 3\nlet t: string = `t`", []p{
			{Name: "n", Type: "float", Default: "5", Value: 5.0, HasValue: true, Help: "count", Line: 1, keyword: "let"},
			{Name: "s", Type: "str", Default: `"x"`, Value: "x", HasValue: true, Line: 2, keyword: "const"},
			{Name: "o", Default: "{\n  a: 1,\n}", Line: 3, keyword: "var"},
			{Name: "bare", Type: "str", Default: "'q'", Value: "q", HasValue: true, Line: 6},
			{Name: "f", Default: "(a) => a", Line: 7, keyword: "const"},
			{Name: "t", Type: "string", Default: "`t`", Value: "t", HasValue: true, Line: 9, keyword: "let"},
		}},
		"Scala":      {"scala", "val n: Int = 5 // count\nvar s = \"x\"", []p{{Name: "n", Type: "Int", Default: "5", Value: int64(5), HasValue: true, Help: "count", Line: 1, keyword: "val"}, {Name: "s", Type: "str", Default: `"x"`, Value: "x", HasValue: true, Line: 2, keyword: "var"}}},
		"MATLAB":     {"matlab", "n = 5; % count\na = b';\nc = 'x y'\nd = e';", []p{{Name: "n", Type: "float", Default: "5", Value: 5.0, HasValue: true, Help: "count", Line: 1}, {Name: "a", Default: "b'", Line: 2}, {Name: "c", Type: "str", Default: "'x y'", Value: "x y", HasValue: true, Line: 3}, {Name: "d", Default: "e'", Line: 4}}},
		"PowerShell": {"powershell", "$n = 5 # count\n[string]$s = 'x'", []p{{Name: "n", Type: "int", Default: "5", Value: int64(5), HasValue: true, Help: "count", Line: 1}, {Name: "s", Type: "str", Default: "'x'", Value: "x", HasValue: true, Line: 2}}},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := Of("k", c.language)
			if err != nil {
				t.Fatal(err)
			}
			got, err := d.Declarations(c.src)
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(Parameter{})); diff != "" || err != nil {
				t.Error(err, diff)
			}
		})
	}
}

func FuzzParameters(f *testing.F) {
	var cases []struct{ Source string }
	if err := json.Unmarshal(read(f, "testdata/params/python.json"), &cases); err != nil {
		f.Fatal(err)
	}
	for _, c := range cases {
		f.Add(c.Source)
	}
	f.Fuzz(func(t *testing.T, src string) {
		for _, d := range dialects {
			ps, err := d.Declarations(src)
			for _, p := range ps {
				if p.Name == "" || p.Line < 1 || p.Line > 1+strings.Count(UnixLines(src), "\n") {
					t.Fatalf("%+v (%v)", p, err)
				}
			}
		}
		Imports(src)
	})
}
