package notebook

import (
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/notebook/internal/pyjson"
	"github.com/fanout-dev/fanout/internal/notebook/internal/pythontest"
)

var pathArgs = []Argument{
	{Name: "s", Value: "text"}, {Name: "u", Value: "é'😀\n"}, {Name: "i", Value: int64(42)}, {Name: "n", Value: int64(-1234567)}, {Name: "big", Value: new(big.Int).Lsh(big.NewInt(1), 70)},
	{Name: "f", Value: 0.1}, {Name: "g", Value: -1234.5678}, {Name: "e", Value: 1e20}, {Name: "tiny", Value: 1.5e-7}, {Name: "whole", Value: 3.0}, {Name: "t", Value: true}, {Name: "none", Value: nil},
	{Name: "l", Value: []any{int64(1), "a'b", nil, 2.0}}, {Name: "d", Value: map[string]any{"k": "v", "x y": map[string]any{"z": int64(7)}}}, {Name: "w", Value: int64(9)}, {Name: "nan", Value: math.NaN()}, {Name: "inf", Value: math.Inf(-1)},
}

var pathFormats = []string{
	"plain/path.ipynb", "{s}-{i}.ipynb", "{{literal}}", "{{{s}}}", "{s:>10}|{s:<10}|{s:^10}|{s:*^9}|{s:.2}|{s:5.3s}|{s:05}", "{u}|{u!r}|{u!a}|{s!r:>8}|{u:→^9}",
	"{i:>04}|{i:04}|{i:+d}|{i: d}|{i:x}|{i:#x}|{i:#o}|{i:b}|{i:08b}|{i:X}|{i:c}|{i:,}|{i:e}|{i:.2f}|{i:%}|{i:g}|{i:n}",
	"{n}|{n:,}|{n:_}|{n:012,}|{n:=+12}|{n:<12}|{n:^12}|{n:x}|{n:_x}|{n:#010x}|{n:013_}|{n:.1e}",
	"{big}|{big:,}|{big:x}|{big:e}", "{f}|{f:.3f}|{f:10.2f}|{f:e}|{f:.0f}|{f:g}|{f:.3}|{f:%}|{f:.1%}|{f:08.3f}|{f:+}|{f: .1f}|{f:.20f}|{f:E}|{f:G}",
	"{g}|{g:,.2f}|{g:012,.1f}|{g:.2}|{g:.3g}|{g:.10}|{g:.4}|{g:.5}|{g:F}|{g:_}", "{e}|{e:.2f}|{e:g}|{e:.3}|{e:,}|{e:.25}", "{tiny}|{tiny:f}|{tiny:g}|{tiny:.2}|{tiny:.1}",
	"{whole}|{whole:g}|{whole:.0f}|{whole:.1}|{whole:.5}|{whole:.0}", "{whole:d}", "{e:.1}|{e:.0}|{tiny:.0}|{g:.0}|{g:.1}|{i:.3e}|{n:.3%}|{i:0>6}|{i:x>06}|{s:0>6}|{s:>06}|{g:>012.1f}|{g:=12.1f}|{f:^+9.2f}", "{t}|{t:d}|{t:5}|{t:>5}|{t!s:>6}", "{none}|{none!s:>6}", "{none:>6}", "{l}|{l[0]}|{l[1]}|{l!r}|{l[3]:.2f}", "{l[9]}", "{l:>3}",
	"{d[k]}|{d[x y][z]:03}|{d}", "{d[no]}", "{s:>{w}}|{f:{w}.{i}f}", "{nan}|{nan:.2f}|{inf}|{inf:010}|{inf:F}|{nan:%}", "{missing}", "{s", "s}", "{}", "{s:d}", "{i:.2d}", "{i:s}", "{s!q}", "{f:x}", "{s:,}", "{i:}}",
	"{i:z}", "{s:=10}", "{i:<<5}|{i:x<5}|{i:{w}}",
}

func TestFormatPath(t *testing.T) {
	now := time.Date(2024, 2, 9, 3, 4, 5, 678000, time.UTC)
	for in, want := range map[string]string{
		"{pm[run_uuid]}": "the-uuid", "{pm[current_datetime_utc]:%Y%m%d}": "20240209", "{pm[current_datetime_utc]}": "2024-02-09 03:04:05.000678+00:00",
		"{pm[current_datetime_utc]:%Y-%j %H.%M.%S,%f %% %a %B %z %V}": "2024-040 03.04.05,000678 % Fri February +0000 06", "{pm[current_datetime_local]:%z}x": "x",
	} {
		if got, err := FormatPath(in, pathArgs, "the-uuid", now); got != want || err != nil {
			t.Errorf("%s: %q, %v; want %q", in, got, err, want)
		}
	}
	if got, err := FormatPath("{pm}", []Argument{{Name: "pm", Value: "mine"}}, "", now); got != "mine" || err != nil {
		t.Error(got, err)
	}
	if _, err := FormatPath("{k}", []Argument{{Name: "k", Secret: "KEY"}}, "", now); err == nil || !strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
	if _, err := FormatPath("{zz}.ipynb", nil, "", now); err == nil || !strings.Contains(err.Error(), `missing parameter "zz"`) {
		t.Error(err)
	}
}

// TestFormatPathAsPython compares with str.format.
func TestFormatPathAsPython(t *testing.T) {
	python3 := pythontest.Path(t)
	var theirs []*string
	args := map[string]any{}
	for _, a := range pathArgs {
		args[a.Name] = a.Value
	}
	in := pyjson.Encode(map[string]any{"args": args, "formats": pathFormats})
	pythontest.Ask(t, python3, `
import json, sys
d = json.load(sys.stdin)
def fmt(f):
    try:
        return f.format(**d["args"])
    except Exception:
        return None
json.dump([fmt(f) for f in d["formats"]], sys.stdout)`, in, &theirs)
	for i, f := range pathFormats {
		got, err := FormatPath(f, pathArgs, "", time.Time{})
		switch want := theirs[i]; {
		case want == nil && err == nil:
			t.Errorf("%s: %q, Python refuses it", f, got)
		case want != nil && (err != nil || got != *want):
			t.Errorf("%s:\n%q (%v)\n%q is Python's", f, got, err, *want)
		}
	}
}

func FuzzFormatPath(f *testing.F) {
	for _, s := range pathFormats {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) < 1<<10 {
			FormatPath(s, pathArgs, "u", time.Time{})
		}
	})
}
