package collect

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/table"
	"github.com/fanout-dev/fanout/internal/value"
)

const declaring = `{"nbformat":4,"nbformat_minor":4,"metadata":{"papermill":{"parameters":{"a":"2026-01-31","b":"2026-01-31","c":"2026-01-31","d":"2026-01-31","e":"2026-01-31T12:00:00","f":null}},"language_info":{"name":"python"}},
"cells":[{"cell_type":"code","execution_count":1,"metadata":{"tags":["parameters"]},"outputs":[],"source":"import typing\na: str = None\nb = None  # type: Optional[str] a day\nc = \"2026-01-01\"\nd = None\ne: \"typing.Union[str, None]\" = None\nf: str = None"}]}`

var declaredTypes = map[string]table.Type{"a": table.String, "b": table.String, "c": table.String, "d": table.Date, "e": table.String, "f": table.String}

func parameterTypes(r *Result) map[string]table.Type {
	types := map[string]table.Type{}
	for _, c := range r.Table.Columns() {
		if c.Role() == table.RoleParameter {
			types[c.Name()] = c.Type()
		}
	}
	return types
}

// A parameter that is declared to be a text is one, whatever it looks like.
func TestDeclaredTexts(t *testing.T) {
	pile := fstest.MapFS{"1.ipynb": {Data: []byte(declaring)}, "0.ipynb": {Data: []byte(strings.Replace(declaring, "parameters\"]", "p\"]", 1))}}
	r, err := Files(t.Context(), pile, nil, Options{TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if d := cmp.Diff(declaredTypes, parameterTypes(r)); d != "" {
		t.Errorf("notebooks: %s", d)
	}
}

func TestDeclaredTextsOfSweep(t *testing.T) {
	ctx := t.Context()
	s, err := sweep.Init(ctx, store.Dir(t.TempDir()), "test")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Acquire(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Lease().Release() })
	key, err := s.Freeze(ctx, []byte(declaring), "ipynb")
	if err != nil {
		t.Fatal(err)
	}
	run := sweep.Run{ID: "r0"}
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		v, err := value.Of("2026-01-31")
		if err != nil {
			t.Fatal(err)
		}
		run.Params = append(run.Params, value.Binding{Name: name, Value: v})
	}
	if _, err := s.Lease().Plan(ctx, sweep.Plan{Head: sweep.Head{Name: "test", Templates: []sweep.Template{{Key: key}}}, Runs: []sweep.Run{run}}); err != nil {
		t.Fatal(err)
	}
	r, err := Sweep(ctx, s, Options{TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if d := cmp.Diff(declaredTypes, parameterTypes(r)); d != "" {
		t.Error(d)
	}
}
