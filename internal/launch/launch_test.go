package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/firing"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/unit"
)

// template writes a template of a language with a parameters cell.
func template(t *testing.T, dir, name, language, cell string) string {
	t.Helper()
	doc := &notebook.Notebook{Metadata: map[string]any{
		"kernelspec":    map[string]any{"name": language, "display_name": language, "language": language},
		"language_info": map[string]any{"name": language},
	}, Minor: 5, Cells: []*notebook.Cell{
		{Type: "markdown", ID: "m", Source: "# Churn\n\nWho leaves."},
		{Type: "code", ID: "p", Source: cell, Metadata: map[string]any{"tags": []any{"parameters"}}},
	}}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, doc.Encode(), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

const python = `from typing import Literal, Optional
region: Literal["apac", "emea"] = "emea"  # where
day = "2026-11-29"
rate: float = 0.5
rounds: int = 10
fast = True
labels = ["a"]
options = {"k": 1}
note: Optional[str] = None
`

func formOf(t *testing.T, path string) Form {
	t.Helper()
	f, err := FormOf(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A form has the types, defaults, choices and comments of the parameters cell, and
// takes nothing else.
func TestForm(t *testing.T) {
	f := formOf(t, template(t, t.TempDir(), "churn by (region).ipynb", "python", python))
	var got []string
	for _, x := range f.Fields {
		got = append(got, x.Name+":"+x.Kind+":"+x.Default+":"+x.Help)
	}
	want := "region:choice:emea:where day:date:2026-11-29: rate:number:0.5: rounds:integer:10: fast:true or false:true: labels:list:[\"a\"]: options:fixed:{\"k\":1}: note:text::"
	if strings.Join(got, " ") != want || f.Title != "Churn" || f.About != "Who leaves." {
		t.Errorf("%q, want %q; %q %q", strings.Join(got, " "), want, f.Title, f.About)
	}
	if said := f.Fields[0].Chosen(`"apac"`); said != "apac" {
		t.Errorf("a choice is shown as %s", said)
	}
	alike := Field{Choices: []string{`"1"`, "1", `""`, "2"}}
	for choice, want := range map[string]string{`"1"`: `"1"`, "1": "1", `""`: `""`, "2": "2"} {
		if said := alike.Chosen(choice); said != want {
			t.Errorf("the choice %s is shown as %s", choice, said)
		}
	}
	now := time.Date(2026, 3, 1, 2, 3, 4, 0, time.UTC)
	o, err := f.Order(Filled{Values: map[string]string{"region": `"apac"`, "day": "2026-01-02", "rate": "1", "rounds": " +007 ", "fast": "false", "labels": `["x", [1, null]]`, "note": "two\r\nlines"}}, now)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Base(o.Where) != "churn-by-region-20260301-020304.sweep" || !slices.Equal(o.Args, []string{"run", "-", "-o", o.Where}) {
		t.Errorf("%q in %s", o.Args, o.Where)
	}
	params := paramsOf(t, o)
	for name, want := range map[string]string{"region": `"apac"`, "day": `"2026-01-02"`, "rate": "1.0", "rounds": "7", "fast": "false", "labels": `["x",[1,null]]`, "note": `"two\nlines"`} {
		if params[name] != want {
			t.Errorf("%s is %s, want %s", name, params[name], want)
		}
	}
	for name, wrong := range map[string][]string{
		"region": {"apac", `"amer"`, "1"}, "day": {"2026-13-01", "yesterday"}, "rate": {"nan", "inf", "1,5", "x"}, "rounds": {"1.5", "1e3", "0x10", strings.Repeat("9", 301)},
		"fast": {"yes", "1"}, "labels": {"{}", `[{"secret": "HOME"}]`, "[1", "1", "[[[[[[1]]]]]]", `[[{"a": 1}]]`}, "options": {"{}", `{"secret": "HOME"}`},
		"note": {"\xff", strings.Repeat("x", maxText+1)}, "PATH": {"x"}, "": {"x"}, "python": {"/bin/sh"},
	} {
		for _, text := range wrong {
			if _, err := f.Order(Filled{Values: map[string]string{name: text}}, now); !unit.IsMistake(err) {
				t.Errorf("%s takes %.40q: %v", name, text, err)
			}
		}
	}
	along, err := f.Order(Filled{Axis: "rounds", Along: []string{"1", "2", "3"}}, now)
	if err != nil {
		t.Fatal(err)
	}
	d, err := along.Draft(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Expand(t.Context()); err != nil || len(d.Runs) != 3 {
		t.Errorf("%d runs, %v", len(d.Runs), err)
	}
	for _, in := range []Filled{{Axis: "rounds"}, {Axis: "nothing", Along: []string{"1"}}, {Axis: "rounds", Along: []string{"1", "x"}}, {Axis: "options", Along: []string{"{}"}}} {
		if _, err := f.Order(in, now); !unit.IsMistake(err) {
			t.Errorf("%+v: %v", in, err)
		}
	}
}

// What nothing gives a type is a number, a list or a text, as it is written; a text of
// several lines arrives with its lines, also as browsers send it, and one that is too
// long to be shown whole is kept where nothing is filled in.
func TestFormOfOddDefaults(t *testing.T) {
	f := formOf(t, template(t, t.TempDir(), "odd.ipynb", "python", "limit = None\nn: int | None = None\nnote: str | None = None\nany: Any = None\nwords = {1, 2}\nname = f\"{limit}\"\nseconds = 10 * 60\nquery = \"select a\\nfrom b\"\nletter = \""+strings.Repeat("x", maxShown+1)+"\"\nwhen = \"2026-02-30\"\n"))
	kinds := map[string]string{}
	for _, x := range f.Fields {
		kinds[x.Name] = fmt.Sprintf("%s %t %t", x.Kind, x.Long(), x.Part)
	}
	if d := cmp.Diff(map[string]string{"limit": Any + " false false", "n": Integer + " false false", "note": Text + " false false", "any": Any + " false false", "words": Any + " false false", "name": Text + " false false", "seconds": Any + " false false", "query": Text + " true false", "letter": Text + " true true", "when": Date + " false false"}, kinds); d != "" {
		t.Error(d)
	}
	for text, want := range map[string]string{"700": "700", " 0.5 ": "0.5", "true": "true", "null": "null", `[1, "a"]`: `[1,"a"]`, "five": `"five"`, `"5"`: `"5"`,
		`{"secret": "HOME"}`: `"{\"secret\": \"HOME\"}"`, `[{"secret": "HOME"}]`: `"[{\"secret\": \"HOME\"}]"`} {
		o, err := f.Order(Filled{Values: map[string]string{"limit": text}}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if got := paramsOf(t, o)["limit"]; got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
	o, err := f.Order(Filled{Values: map[string]string{"query": "select a\r\nfrom b", "seconds": "10 * 60", "limit": "", "letter": ""}}, time.Now())
	if err != nil || len(o.Set) != 0 {
		t.Errorf("nothing was changed, and %q is set: %v", o.Set, err)
	}
	o, err = f.Order(Filled{Values: map[string]string{"query": "select a\r\nfrom c where n < 5"}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if got := paramsOf(t, o)["query"]; got != `"select a\nfrom c where n < 5"` || !strings.Contains(o.Stdin, "n < 5") {
		t.Errorf("the query is %s, in %s", got, o.Stdin)
	}
}

// paramsOf are the parameters of the only run of an order.
func paramsOf(t *testing.T, o Order) map[string]string {
	t.Helper()
	d, err := o.Draft(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Expand(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(d.Runs) != 1 {
		t.Fatalf("%d runs", len(d.Runs))
	}
	all := map[string]string{}
	for _, b := range d.Runs[0].Params {
		all[b.Name] = b.Value.String()
	}
	return all
}

// hostile are texts that are code where a text is not written as one.
var hostile = []string{
	`"; import os; os._exit(3) #`, `'''+__import__("os").system("id")+'''`, `"); quit(status = 3) #`, "`r quit()`", "${process.exit(3)}", "`;process.exit(3);//",
	`$(exit 3)`, `$(touch /tmp/x)`, `"; exit(3); "`, "\\", `\"`, "{{7*7}}", "%s%n", "{secret: HOME}", "{x}", "!!python/object:os.system [id]", "&a *a", "- x\n- y", "null", "1", "yes", "2026-01-01", " padded ", "a\n---\nb: c", "# no comment", "=1+1", "\u2028\u202e", "😀", "\x00",
}

// A text from a form arrives as that text, in every language: what the notebook
// executes is the assignment of a literal.
func TestFormValuesAreData(t *testing.T) {
	for language, cell := range map[string]string{"python": `note = "x"`, "R": `note <- "x"`, "julia": `note = "x"`, "javascript": `var note = "x";`} {
		path := template(t, t.TempDir(), "t.ipynb", language, cell)
		f := formOf(t, path)
		for _, text := range hostile {
			o, err := f.Order(Filled{Values: map[string]string{"note": text}}, time.Now())
			if err != nil {
				t.Errorf("%s: %q: %v", language, text, err)
				continue
			}
			if strings.ContainsRune(text, 0) {
				continue // R has no such texts, and says so when it is planned
			}
			want := string(must(marshal(text)))
			if got := paramsOf(t, o)["note"]; !sameText(got, want) {
				t.Errorf("%s: %q became %s", language, text, got)
			}
			d := must(o.Draft(t.Context()))
			doc := must(notebook.Decode(d.TemplateDocs[0]))
			if strings.Contains(doc.Cells[1].Source, text) && len(text) > 8 {
				t.Errorf("%s: %q is in the template", language, text)
			}
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// sameText compares texts that JSON may spell in two ways.
func sameText(a, b string) bool {
	return a == b || strings.NewReplacer(`\u2028`, "\u2028", `\u202e`, "\u202e").Replace(b) == a
}

// A sweep file's own values stay what they are; a secret is not to be filled in.
func TestFormOfSweep(t *testing.T) {
	dir := t.TempDir()
	template(t, dir, "t.ipynb", "python", python)
	file := filepath.Join(dir, "nightly.yaml")
	if err := os.WriteFile(file, []byte("name: nightly\ntemplate: t.ipynb\ngrid: {region: [apac, emea], rounds: [1, 2, 3]}\nparameters: {rate: 0.25, note: {secret: THE_NOTE}}\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	f := formOf(t, file)
	fields := map[string]Field{}
	for _, x := range f.Fields {
		fields[x.Name] = x
	}
	if !fields["region"].Varies || fields["rate"].Default != "0.25" || fields["note"].Kind != Fixed || fields["note"].Default != "the secret THE_NOTE" {
		t.Errorf("%+v", fields)
	}
	o := must(f.Order(Filled{Values: map[string]string{"rate": "0.25", "region": ""}}, time.Now()))
	if o.Where != filepath.Join(dir, "nightly.sweep") || len(o.Set) != 0 {
		t.Errorf("unchanged: %+v", o)
	}
	o = must(f.Order(Filled{Values: map[string]string{"region": `"apac"`, "rounds": "2"}}, time.Now()))
	if p := paramsOf(t, o); p["region"] != `"apac"` || p["rounds"] != "2" || p["rate"] != "0.25" || filepath.Base(o.Where) == "nightly.sweep" {
		t.Errorf("%v in %s", p, o.Where)
	}
	if _, err := f.Order(Filled{Values: map[string]string{"note": "x"}}, time.Now()); !unit.IsMistake(err) {
		t.Errorf("a secret was filled in: %v", err)
	}
	for _, text := range []string{"", "[]", "name: [", "a: b"} {
		os.WriteFile(file, []byte(text), 0o666)
		if _, err := FormOf(t.Context(), file); !unit.IsMistake(err) {
			t.Errorf("%q is a form: %v", text, err)
		}
	}
}

// shop is a queue whose commands are functions, and its stores.
type shop struct {
	*Queue
	mu     sync.Mutex
	ran    []string
	stores map[string]store.Store
}

func newShop(t *testing.T, folder string, run func(ctx context.Context, where string) int) *shop {
	t.Helper()
	s := &shop{stores: map[string]store.Store{}}
	s.Queue = &Queue{Folder: folder, AtOnce: 2, Report: func(text string) { t.Error(text) },
		Open: func(_ context.Context, where string) (store.Store, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.stores[where] == nil {
				s.stores[where] = store.Mem()
			}
			return s.stores[where], nil
		},
		Start: func(ctx context.Context, args []string, stdin string, log *os.File) (int, error) {
			s.mu.Lock()
			s.ran = append(s.ran, args[0])
			s.mu.Unlock()
			fmt.Fprintln(log, "said", args[0])
			return run(ctx, args[0]), nil
		}}
	if err := s.Load(); err != nil {
		t.Fatal(err)
	}
	return s
}

func order(name, by string) Order {
	return Order{Kind: Launch, Name: name, Where: "/w/" + name, By: by, At: time.Now().UTC(), Args: []string{name}}
}

// What steps pass to each other is nobody's to fill in.
func TestFormOfSteps(t *testing.T) {
	dir := t.TempDir()
	template(t, dir, "extract.ipynb", "python", `region = "emea"`)
	template(t, dir, "report.ipynb", "python", "region = ''\nrows = 0")
	path := filepath.Join(dir, "sweep.yaml")
	text := "name: churn\nsteps:\n  extract: {template: extract.ipynb}\n  report: {template: report.ipynb, needs: extract, with: {rows: extract.rows}}\ngrid: {region: [apac, emea]}\n"
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	f := formOf(t, path)
	if len(f.Fields) != 2 || f.Fields[0].Name != "region" || !f.Fields[0].Varies || f.Fields[1].Kind != Fixed || f.Fields[1].Default != "passed to the step report: extract.rows" || f.Title != "churn" {
		t.Errorf("%q with %+v", f.Title, f.Fields)
	}
}

// Orders of one person do not keep others waiting; a sweep has one order at a time; who
// asked is in the sweep.
func TestQueueIsFair(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newShop(t, folder, func(ctx context.Context, name string) int {
			time.Sleep(time.Hour)
			if name == "a2" {
				return 1
			}
			return 0
		})
		for _, o := range []Order{order("a1", "ana"), order("a2", "ana"), order("a3", "ana"), order("b1", "bo")} {
			must(s.Add(o))
			time.Sleep(time.Second)
		}
		other := order("a3", "cy")
		other.Kind = Rerun
		if _, err := s.Add(other); !unit.IsMistake(err) {
			t.Errorf("two orders of a sweep: %v", err)
		}
		if o, err := s.Add(order("a3", "cy")); !errors.Is(err, ErrAgain) || o.By != "ana" || len(s.Orders()) != 4 {
			t.Errorf("an order that was given already: %+v %v", o, err)
		}
		if ok, err := s.Withdraw("/w/a3", "cy"); !ok || err != nil {
			t.Errorf("withdraw: %v %v", ok, err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { s.Run(ctx) })
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		stop()
		running.Wait()
		slices.Sort(s.ran[:2])
		if strings.Join(s.ran, " ") != "a1 b1 a2" {
			t.Errorf("executed %q", s.ran)
		}
		states := map[string]string{}
		for _, o := range s.Orders() {
			states[o.Name] = o.State()
			if o.Name == "a2" && o.Says != "said a2" {
				t.Errorf("it says %q", o.Says)
			}
		}
		if fmt.Sprint(states) != "map[a1:succeeded a2:failed a3:failed b1:succeeded]" {
			t.Errorf("%v", states)
		}
		history, err := firing.List(t.Context(), s.stores["/w/b1"], 9)
		if err != nil || len(history) != 1 || history[0].Asked != "bo" || history[0].End == nil {
			t.Errorf("history %+v, %v", history, err)
		}
	})
}

// An order for a sweep that was removed meanwhile does not bring its folder back.
func TestOrdersOfRemovedSweeps(t *testing.T) {
	folder, where := t.TempDir(), filepath.Join(t.TempDir(), "gone.sweep")
	q := &Queue{Folder: folder, Report: func(text string) { t.Error(text) }, Open: store.Open, Start: func(context.Context, []string, string, *os.File) (int, error) {
		t.Error("it was executed")
		return 0, nil
	}}
	if err := q.Load(); err != nil {
		t.Fatal(err)
	}
	for _, o := range []Order{RerunOf("gone", where, time.Now()), ResumeOf("gone", where+"2", time.Now())} {
		must(q.Add(o))
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { q.Run(ctx) })
	for range 500 {
		if !slices.ContainsFunc(q.Orders(), func(o Order) bool { return o.Ended.IsZero() }) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	stop()
	running.Wait()
	for _, o := range q.Orders() {
		if o.State() != "failed" || o.Says != "the sweep was removed before it began" {
			t.Errorf("%+v", o)
		}
	}
	if left, _ := os.ReadDir(filepath.Dir(where)); len(left) != 0 {
		t.Errorf("%v was written", left)
	}
}

// A server that ends loses no order: what waited is executed by the next one, and what
// was stopped is executed again.
func TestQueueOutlivesServers(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		stores := map[string]store.Store{}
		serve := func(d time.Duration) *shop {
			s := newShop(t, folder, func(ctx context.Context, name string) int {
				select {
				case <-ctx.Done():
					return 143
				case <-time.After(time.Hour):
					return 0
				}
			})
			s.stores = stores
			ctx, stop := context.WithTimeout(t.Context(), d)
			defer stop()
			if len(s.Orders()) == 0 {
				for _, name := range []string{"x", "y", "z"} {
					must(s.Add(order(name, "ana")))
					time.Sleep(time.Second)
				}
			}
			s.Run(ctx)
			return s
		}
		serve(90 * time.Minute)
		second := serve(10 * time.Hour)
		if strings.Join(second.ran, " ") != "z" {
			t.Errorf("the second server executed %q", second.ran)
		}
		for _, o := range second.Orders() {
			if o.State() != "succeeded" {
				t.Errorf("%s: %s %s", o.Name, o.State(), o.Says)
			}
		}
		if third := serve(time.Hour); len(third.ran) != 0 {
			t.Errorf("the third server executed %q", third.ran)
		}
	})
}

// What is no order in the folder is reported, and keeps nothing else from being
// executed.
func TestQueueReadsWhatItWrote(t *testing.T) {
	folder := t.TempDir()
	os.WriteFile(filepath.Join(folder, "broken.json"), []byte(`{"id": "other"`), 0o600)
	var said []string
	q := &Queue{Folder: folder, Report: func(text string) { said = append(said, text) }}
	if err := q.Load(); err != nil || len(said) != 1 || len(q.Orders()) != 0 {
		t.Errorf("%v, %q", err, said)
	}
	o, err := q.Add(order("a", "ana"))
	if err != nil {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(folder, "broken.json"))
	again := &Queue{Folder: folder}
	if err := errors.Join(again.Load()); err != nil || len(again.Orders()) != 1 || again.Orders()[0].ID != o.ID {
		t.Errorf("%v, %+v", err, again.Orders())
	}
}

// An order whose sweep somebody else holds waits for that, and is executed then; one that
// is always held ends.
func TestQueueWaitsForOthers(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		tries := map[string]int{}
		s := newShop(t, folder, func(_ context.Context, name string) int {
			tries[name]++
			if name == "free" && tries[name] == 2 {
				return 0
			}
			return exitHeld
		})
		s.AtOnce = 1
		must(s.Add(order("free", "ana")))
		must(s.Add(order("held", "ana")))
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		s.Run(ctx)
		codes := map[string]int{}
		for _, o := range s.Orders() {
			codes[o.Name] = o.Code
		}
		if tries["free"] != 2 || tries["held"] != maxHeld || codes["free"] != 0 || codes["held"] != exitHeld {
			t.Errorf("tries %v, codes %v", tries, codes)
		}
	})
}
