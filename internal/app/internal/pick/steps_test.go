package pick_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fanout-dev/fanout/internal/app/internal/pick"
	"github.com/fanout-dev/fanout/internal/due"
	"github.com/fanout-dev/fanout/internal/fan"
	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/lineage"
	"github.com/fanout-dev/fanout/internal/needs"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/value"
)

// A world is a sweep with steps over random axes, and beside it the same by brute
// force: what needs what as pairs of runs, and what was fed as a text.
type world struct {
	*sweep.Sweep
	plan  sweep.Plan
	model map[string]*model
	ends  map[string]end // what the next attempt at a run comes to

	mu  sync.Mutex
	log []string // "begin ID", "end ID"
}

// A model is what is known of a run by brute force.
type model struct {
	run       sweep.Run
	needs     [][]string // for each needed step, ids
	shares    []float64
	succeeded bool
	code, fed string // of the last success
	left      string
}

type end struct {
	fails bool
	left  int
}

func newWorld(t *rapid.T) *world {
	w := &world{model: map[string]*model{}, ends: map[string]end{}}
	axes := []string{"a", "b"}
	var points []map[string]int
	for range rapid.IntRange(1, 6).Draw(t, "points") {
		p := map[string]int{}
		for _, axis := range axes {
			p[axis] = rapid.IntRange(0, 2).Draw(t, axis)
		}
		points = append(points, p)
	}
	w.plan.Name, w.plan.Source = "test", ".."
	for i := range rapid.IntRange(1, 4).Draw(t, "steps") {
		step := sweep.Step{Name: fmt.Sprint("s", i)}
		for _, axis := range axes {
			if rapid.Bool().Draw(t, "over "+axis) {
				step.Axes = append(step.Axes, axis)
			}
		}
		for j := range i {
			if rapid.Bool().Draw(t, "needs") {
				step.Needs = append(step.Needs, needs.Need{Step: fmt.Sprint("s", j), Share: rapid.SampledFrom([]float64{1, 1, 0.5}).Draw(t, "share")})
			}
		}
		w.addStep(t, step, points)
	}
	w.pair()
	spec, err := grid.Decode("sweep.yaml", []byte("template: t.ipynb\ngrid: {a: [1]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	w.plan.Spec = spec
	if w.Sweep, err = sweep.Init(t.Context(), store.Mem(), "test"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// addStep plans the points of a step, each once.
func (w *world) addStep(t *rapid.T, step sweep.Step, points []map[string]int) {
	w.plan.Steps = append(w.plan.Steps, step)
	w.plan.Templates = append(w.plan.Templates, sweep.Template{Slot: step.Name, Path: step.Name + ".ipynb", Code: "0"})
	w.plan.TemplateDocs = append(w.plan.TemplateDocs, emptyNotebook)
	seen := map[string]bool{}
	for _, p := range points {
		r := sweep.Run{Template: step.Name}
		for _, axis := range step.Axes {
			v, err := value.Of(p[axis])
			if err != nil {
				t.Fatal(err)
			}
			r.Params = append(r.Params, value.Binding{Name: axis, Value: v})
		}
		if key := fmt.Sprint(r.Params); seen[key] {
			continue
		} else {
			seen[key] = true
		}
		r.ID = fmt.Sprintf("run%013d", len(w.plan.Runs))
		w.plan.Runs = append(w.plan.Runs, r)
		w.model[r.ID] = &model{run: r}
	}
}

// pair finds what needs what, run by run.
func (w *world) pair() {
	for _, r := range w.plan.Runs {
		m := w.model[r.ID]
		for _, step := range w.plan.Steps {
			if step.Name != r.Template {
				continue
			}
			for _, n := range step.Needs {
				var ids []string
				for _, other := range w.plan.Runs {
					if other.Template == n.Step && agree(r, other) {
						ids = append(ids, other.ID)
					}
				}
				m.needs, m.shares = append(m.needs, ids), append(m.shares, n.Share)
			}
		}
	}
}

func agree(a, b sweep.Run) bool {
	for _, x := range a.Params {
		if v, both := value.Lookup(b.Params, x.Name); both && !value.Equal(v, x.Value) {
			return false
		}
	}
	return true
}

// fedNow is what a run would be fed, and whether it may begin.
func (w *world) fedNow(m *model) (fed string, free bool) {
	free = true
	for i, ids := range m.needs {
		good := 0
		for _, id := range ids {
			if o := w.model[id]; o.succeeded {
				good++
				fed += id + "=" + o.left + ";"
			} else {
				fed += id + ";"
			}
		}
		free = free && float64(good) >= m.shares[i]*float64(len(ids))-1e-9
	}
	return fed, free
}

func (w *world) isDue(m *model, code map[string]string) bool {
	fed, _ := w.fedNow(m)
	return !m.succeeded || m.code != code[m.run.Template] || m.fed != fed
}

// expect executes by brute force, step after step, and returns the runs that began.
func (w *world) expect() (began []string) {
	code, atFirst := map[string]string{}, map[string]bool{}
	for _, t := range w.plan.Templates {
		code[t.Slot] = t.Code
	}
	for _, r := range w.plan.Runs {
		atFirst[r.ID] = w.isDue(w.model[r.ID], code)
	}
	for _, r := range w.plan.Runs { // those of a step after those it needs
		m := w.model[r.ID]
		fed, free := w.fedNow(m)
		if !free || !atFirst[r.ID] && !w.isDue(m, code) {
			continue
		}
		began = append(began, r.ID)
		if e := w.ends[r.ID]; e.fails {
			// A failure does not take away what an earlier attempt left, and the run
			// stands as failed.
			m.succeeded = false
		} else {
			m.succeeded, m.left, m.code, m.fed = true, fmt.Sprint(e.left), code[r.Template], fed
		}
	}
	slices.Sort(began)
	return began
}

var emptyNotebook = []byte(`{"cells":[{"cell_type":"code","id":"c","source":"1","outputs":[],"execution_count":null,"metadata":{}}],"metadata":{},"nbformat":4,"nbformat_minor":5}`)

// Execute is an executor under which each run ends as the world says.
func (w *world) Execute(ctx context.Context, shard sweep.Shard, _ func(sweep.Note)) error {
	for _, id := range shard.Runs {
		st, _ := w.Run(id)
		fingerprint := w.Current(st.Run)
		a, err := w.Lease().Begin(ctx, id, sweep.Began{Host: "h"})
		if err != nil {
			return err
		}
		w.note("begin " + id)
		doc, err := notebook.Decode(emptyNotebook)
		if err != nil {
			return err
		}
		e := w.ends[id]
		doc.Cells[0].Outputs = []notebook.Output{{Type: "display_data", Data: map[string]json.RawMessage{
			"application/scrapbook.scrap.json+json": json.RawMessage(fmt.Sprintf(`{"name":"left","data":%d,"encoder":"json","version":1}`, e.left)),
		}}}
		o := outcome.Outcome{Status: outcome.Succeeded, Fingerprint: fingerprint}
		if e.fails {
			o.Status, o.Kind, o.Reason, o.Cell = outcome.Failed, outcome.Exception, "no", 9
		}
		w.note("end " + id)
		if err := a.End(ctx, doc, o, nil); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) Limits() fan.Limits { return fan.Limits{} }

func (w *world) note(line string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log = append(w.log, line)
}

// began are the runs that began, which none may do before what it needs ended.
func (w *world) began(t *rapid.T) (ids []string) {
	ended, begins := map[string]bool{}, map[string]bool{}
	for _, line := range w.log {
		begins[line] = true
	}
	for _, line := range w.log {
		what, id := line[:len(line)-17], line[len(line)-16:]
		if what == "end" {
			ended[id] = true
			continue
		}
		ids = append(ids, id)
		for _, needed := range slices.Concat(w.model[id].needs...) {
			if begins["begin "+needed] && !ended[needed] {
				t.Fatalf("%s began before %s, which it needs, had ended", id, needed)
			}
		}
	}
	w.log = nil
	slices.Sort(ids)
	return ids
}

// After any edits and failures, exactly those runs begin that the rule of steps,
// applied to every pair of runs, says: each after those it needs, and once.
func TestBegunAsByPairs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		defer w.Lease().Release()
		for range rapid.IntRange(1, 4).Draw(t, "invocations") {
			for i := range w.plan.Templates {
				if rapid.IntRange(0, 3).Draw(t, "edit") == 0 {
					w.plan.Templates[i].Code += "'"
				}
			}
			if _, err := w.Lease().Plan(t.Context(), w.plan); err != nil {
				t.Fatal(err)
			}
			for _, r := range w.plan.Runs {
				w.ends[r.ID] = end{rapid.IntRange(0, 4).Draw(t, "fails") == 0, rapid.IntRange(0, 1).Draw(t, "left")}
			}
			todo, err := pick.Due(w.Sweep, pick.Choice{Reprocess: due.Stale})
			if err != nil {
				t.Fatal(err)
			}
			parts := w.Spec().StaleOn
			asked := slices.Clone(todo.Runs) // and what becomes due
			var blocked []string
			sum, err := fan.Fan(t.Context(), w.Sweep, w, fan.Options{
				Runs: todo.Runs, Later: todo.Later, Jobs: rapid.IntRange(1, 3).Draw(t, "jobs"), InOrder: todo.InOrder,
				Due: func(id string) bool { return due.Becomes(w.Sweep, id, parts) },
				Note: func(n sweep.Note) {
					switch n.Kind {
					case sweep.NoteDue:
						asked = append(asked, n.Run)
					case sweep.NoteBlock:
						blocked = append(blocked, n.Run)
						if n.Text == "" || n.Text != w.Waits(n.Run) {
							t.Fatalf("%s is blocked: %q", n.Run, n.Text)
						}
					}
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			got := w.began(t)
			if d := cmp.Diff(w.expect(), got); d != "" {
				t.Fatalf("begun (-by pairs +by fanout):\n%s", d)
			}
			if all := slices.Sorted(slices.Values(slices.Concat(got, blocked))); !slices.Equal(all, slices.Sorted(slices.Values(asked))) || sum.Blocked != len(blocked) {
				t.Fatalf("due %v, begun %v, blocked %v; in the summary %d", asked, got, blocked, sum.Blocked)
			}
			w.compare(t)
		}
	})
}

// compare demands that every run stands as by brute force.
func (w *world) compare(t *rapid.T) {
	for _, st := range w.Runs() {
		m := w.model[st.Run.ID]
		if m.succeeded != (st.Status == outcome.Succeeded) {
			t.Fatalf("%s is %s, and by pairs it succeeded: %t", st.Run.ID, st.Status, m.succeeded)
		}
		fed, free := w.fedNow(m)
		if stale := len(w.Stale(st, []string{"upstream"})) > 0; m.succeeded && stale != (m.fed != fed) {
			t.Fatalf("%s is stale: %t; by pairs: %t", st.Run.ID, stale, m.fed != fed)
		}
		if waits := w.Waits(st.Run.ID); (waits == "") != free {
			t.Fatalf("%s waits: %q; by pairs it may begin: %t", st.Run.ID, waits, free)
		}
	}
	for _, step := range lineage.Chain(w.Sweep) {
		blocked := 0
		for _, r := range w.plan.Runs {
			if st, _ := w.Run(r.ID); r.Template == step.Name && st.Status == outcome.Planned {
				blocked++ // or it would have begun
			}
		}
		if step.Blocked != blocked || (step.By != "") != (blocked > 0) {
			t.Fatalf("%d runs of %s did not begin, and %d are blocked by %q", blocked, step.Name, step.Blocked, step.By)
		}
	}
}
