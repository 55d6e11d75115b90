package page

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

func run(id string, params map[string]any) sweep.Run {
	r := sweep.Run{ID: id}
	for name, x := range params {
		v, err := value.Of(x)
		if err != nil {
			panic(err)
		}
		r.Params = append(r.Params, value.Binding{Name: name, Value: v})
	}
	return r
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		pattern string
		runs    []sweep.Run
		want    string // of the names in order, or what is wrong
	}{
		{"{region}-{day}.html", []sweep.Run{run("r", map[string]any{"region": "EMEA", "day": "2026-01-01"})}, "EMEA-2026-01-01.html"},
		{"{x}.html", []sweep.Run{run("r", map[string]any{"x": "../../etc/passwd"})}, "etc-passwd.html"},
		{"{x}.html", []sweep.Run{run("r", map[string]any{"x": "a\x00b\n<script>"})}, "a-b-script.html"},
		{"{x}.html", []sweep.Run{run("r", map[string]any{"x": "…"})}, "_.html"},
		{"{x}.html", []sweep.Run{run("r", map[string]any{"x": "con"})}, "_con.html"},
		{"{x}.html", []sweep.Run{run("r", map[string]any{"x": 1.5})}, "1.5.html"},
		{"x{x}.html", []sweep.Run{run("r", map[string]any{"x": "é" + strings.Repeat("ß", 100)})}, "xé" + strings.Repeat("ß", 29) + ".html"},
		{"{x}.html", []sweep.Run{run("r", map[string]any{"x": "a"}), run("s", map[string]any{"x": "A"})}, "two runs would be called A.html"},
		{"{x}.html", []sweep.Run{run("r", map[string]any{"x": "a/b"}), run("s", map[string]any{"x": "a:b"})}, "two runs would be called a-b.html"},
		{"{x}.html", []sweep.Run{run("r", map[string]any{"x": "Index"})}, "so is the page that leads to all"},
		{"{y}.html", []sweep.Run{run("r", map[string]any{"x": 1})}, "{y}"},
		{"{x}.html", []sweep.Run{run("r", map[string]any{"y": 1}), run("s", map[string]any{"x": 1})}, ",1.html"}, // of another step
		{"{run_id}.html", []sweep.Run{run("r", nil)}, "r.html"},
	} {
		names, err := Names(c.pattern, c.runs)
		var all []string
		for _, r := range c.runs {
			all = append(all, names[r.ID])
		}
		switch got := strings.Join(all, ","); {
		case err != nil && (!unit.IsMistake(err) || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %s", c.pattern, err, c.want)
		case err == nil && got != c.want:
			t.Errorf("%s: %s, want %s", c.pattern, got, c.want)
		}
	}
	a, b := run("a", map[string]any{"x": 1}), run("b", map[string]any{"x": 1})
	a.Unplanned = true
	names, err := Names("{x}.html", []sweep.Run{a, b})
	if err != nil || names["a"] != "" || names["b"] != "1.html" {
		t.Errorf("what is not planned any more does not give way: %v %v", names, err)
	}
	b.Replicate = 1
	a.Unplanned = false
	if _, err := Names("{x}.html", []sweep.Run{a, b}); err == nil || !strings.Contains(unit.HintOf(err), "{replicate}") {
		t.Errorf("%v", err)
	}
}

// Whatever the values are, a name is a plain file in the folder, of bounded length.
func TestNamesAreSafe(t *testing.T) {
	plain := regexp.MustCompile(`^[\pL\pN_,+=@-][\pL\pN_.,+=@ -]*\.html$`)
	rapid.Check(t, func(t *rapid.T) {
		r := run("r", map[string]any{"a": rapid.String().Draw(t, "a"), "b": rapid.StringMatching(`[./\\a-zé…]{0,300}`).Draw(t, "b")})
		names, err := Names(rapid.SampledFrom([]string{"{a}.html", "{a}{b}.html", "x-{b}-{a}-{b}{b}{b}.html"}).Draw(t, "pattern"), []sweep.Run{r})
		if err != nil {
			t.Skip(err) // index.html
		}
		if name := names["r"]; !plain.MatchString(name) || len(name) > maxName || filepath.Base(name) != name || !filepath.IsLocal(name) {
			t.Fatalf("%q", name)
		}
	})
}
