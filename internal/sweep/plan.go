package sweep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/pack"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep/internal/chain"
	"github.com/fanout-dev/fanout/internal/sweep/internal/jsonl"
	"github.com/fanout-dev/fanout/internal/sweep/internal/plan"
)

// What a plan says.
type (
	Run      = plan.Run
	Settings = plan.Settings
	Head     = plan.Head
	Template = plan.Template
	Recipe   = plan.Recipe
	Secret   = plan.Secret
	Delta    = plan.Delta

	FormatError     = plan.FormatError
	OtherSweepError = plan.OtherSweepError
	UnplannedError  = plan.UnplannedError
)

// NewRun returns the run of a point.
func NewRun(p grid.Point) Run { return plan.NewRun(p) }

// Digest is the hex SHA-256 of b, by which frozen objects are named.
func Digest(b []byte) string { return plan.Digest(b) }

// A Plan is what Lease.Plan writes down.
type Plan struct {
	Head
	Spec         *grid.Spec        // nil for none; shadows the key in Head
	TemplateDocs [][]byte          // parallel to Head.Templates
	Files        []pack.File       // frozen with it; shadows the key in Head
	Runs         []Run             // in the order of the grid; shadows the count in Head
	Inputs       map[string]string // run id → digest of what the run reads
	Reserve      []Run             // all runs that a sweep that grows may come to have; shadows the key in Head
}

// Freeze stores b under its own digest and returns the key.
func (s *Sweep) Freeze(ctx context.Context, b []byte, ext string) (string, error) {
	key := keyFrozen(Digest(b), ext)
	err := s.store.Create(ctx, key, b, store.Synced)
	if errors.Is(err, fs.ErrExist) {
		err = nil
	}
	return key, err
}

// Plan makes p the plan in force. Runs of earlier plans stay known and are
// unplanned. A plan equal to the one in force writes nothing.
func (l *Lease) Plan(ctx context.Context, p Plan) (Delta, error) {
	if err := l.Check(ctx); err != nil {
		return Delta{}, err
	}
	s := l.sweep
	delta, runs := plan.Merge(p.Runs, p.Inputs, s.everPlanned)
	lines, err := jsonl.Encode(runs)
	if err != nil {
		return delta, err
	}
	head := p.Head
	head.Runs, head.Kept, head.Digest = len(p.Runs), len(runs)-len(p.Runs), Digest(lines)
	if err := s.freezePlan(ctx, &head, p); err != nil {
		return delta, fmt.Errorf("freeze plan: %w", err)
	}
	if !s.planned || !plan.Same(head, s.head) {
		if err := s.putPlan(ctx, &head, lines); err != nil {
			return delta, err
		}
		s.adopt(head, runs)
	}
	s.setSpec(head.Spec, p.Spec)
	return delta, nil
}

// putPlan writes the next plan: the runs, then the head.
func (s *Sweep) putPlan(ctx context.Context, head *Head, lines []byte) error {
	if err := s.markSteps(ctx, *head); err != nil {
		return err
	}
	head.Number = s.head.Number + 1
	if err := s.store.Put(ctx, keyPlanRuns(head.Number), lines, store.Synced); err != nil {
		return err
	}
	text, err := json.MarshalIndent(head, "", "  ")
	if err != nil {
		return err
	}
	return s.store.Create(ctx, keyPlanHead(head.Number), append(text, '\n'), store.Synced)
}

func (s *Sweep) freezePlan(ctx context.Context, head *Head, p Plan) (err error) {
	if p.Spec != nil {
		if head.Spec, err = s.Freeze(ctx, p.Spec.Text(), ".yaml"); err != nil {
			return err
		}
	}
	head.Templates = append([]Template(nil), p.Templates...)
	for i, doc := range p.TemplateDocs {
		if head.Templates[i].Key, err = s.Freeze(ctx, doc, ".ipynb"); err != nil {
			return err
		}
	}
	if err := s.freezeReserve(ctx, head, p); err != nil || len(p.Files) == 0 {
		return err
	}
	bundle, err := pack.Files(p.Files)
	if err != nil {
		return err
	}
	head.FilesDigest = pack.Digest(p.Files)
	head.Files, err = s.Freeze(ctx, bundle, ".tar.zst")
	return err
}

func (s *Sweep) freezeReserve(ctx context.Context, head *Head, p Plan) error {
	if len(p.Reserve) == 0 {
		return nil
	}
	runs := slices.Clone(p.Reserve)
	for i := range runs {
		runs[i].Inputs = p.Inputs[runs[i].ID]
	}
	lines, err := jsonl.Encode(runs)
	if err == nil {
		head.Reserve, err = s.Freeze(ctx, lines, ".jsonl")
	}
	return err
}

// Reserve lists all runs that the plan in force may come to have; none where it
// does not grow.
func (s *Sweep) Reserve(ctx context.Context) ([]Run, error) {
	h, _ := s.Head()
	if h.Reserve == "" {
		return nil, nil
	}
	lines, err := s.Object(ctx, h.Reserve)
	if err != nil {
		return nil, err
	}
	runs, err := plan.Decode(lines)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", h.Reserve, err)
	}
	return runs, nil
}

// Preview is the sweep as it would be if p were planned now, for questions
// only, and what that would change. It changes nothing.
func (s *Sweep) Preview(p Plan) (*Sweep, Delta) {
	view := &Sweep{store: s.store, name: s.name, id: s.id, byID: map[string]*RunState{}, spec: p.Spec}
	for st := range s.All() {
		view.byID[st.Run.ID] = &st
	}
	delta, runs := plan.Merge(p.Runs, p.Inputs, s.everPlanned)
	head := p.Head
	head.Runs, head.Kept = len(p.Runs), len(runs)-len(p.Runs)
	view.adopt(head, runs)
	return view, delta
}

// everPlanned yields the runs of the plan in force and of earlier ones.
func (s *Sweep) everPlanned(yield func(Run) bool) {
	for _, st := range s.runs {
		if !yield(st.Run) {
			return
		}
	}
}

// adopt makes head and runs the plan in force, keeping what is known of runs.
func (s *Sweep) adopt(head Head, runs []Run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	states, fresh := make([]*RunState, len(runs)), []RunState(nil)
	if len(s.byID) == 0 { // as when it is opened: in one piece
		fresh, s.byID = make([]RunState, len(runs)), make(map[string]*RunState, len(runs))
	}
	for i, r := range runs {
		st, known := s.byID[r.ID]
		if !known && i < len(fresh) {
			st = &fresh[i]
		} else if !known {
			st = &RunState{}
		}
		if !known {
			st.Status, s.byID[r.ID] = outcome.Planned, st
		}
		st.Run, st.Place = r, i
		states[i] = st
	}
	s.head, s.runs, s.planned = head, states, true
	s.chain = chain.New(head, states, s.byID)
}

// newestPlan is the number of the plan in force, 0 for none.
func (s *Sweep) newestPlan(ctx context.Context) (number int, err error) {
	for o, err := range s.store.List(ctx, prefixPlan) {
		if err != nil {
			return 0, err
		}
		name, isHead := strings.CutSuffix(path.Base(o.Key), ".json")
		if !isHead {
			continue
		}
		n, ok, err := store.Number(o.Key, name)
		if err != nil {
			return 0, err
		}
		if ok {
			number = max(number, n)
		}
	}
	return number, nil
}

// readPlan loads the plan in force; a sweep that was never planned has none.
func (s *Sweep) readPlan(ctx context.Context) error {
	number, err := s.newestPlan(ctx)
	if err != nil || number == 0 {
		return err
	}
	var head Head
	if err := s.get(ctx, keyPlanHead(number), &head); err != nil {
		return fmt.Errorf("read %s: %w", keyPlanHead(number), err)
	}
	lines, err := s.store.Get(ctx, keyPlanRuns(number))
	if err != nil {
		return err
	}
	if Digest(lines) != head.Digest {
		return fmt.Errorf("read %s: its digest is not the one %s names", keyPlanRuns(number), keyPlanHead(number))
	}
	runs, err := plan.Decode(lines)
	if err != nil {
		return fmt.Errorf("read %s: %w", keyPlanRuns(number), err)
	}
	head.Number = number // whatever it says itself
	s.adopt(head, runs)
	return nil
}

// readSpec decodes the sweep file that the plan in force froze, unless it is
// known already.
func (s *Sweep) readSpec(ctx context.Context) error {
	h, _ := s.Head()
	s.mu.Lock()
	known := s.spec != nil && s.specKey == h.Spec
	s.mu.Unlock()
	if known {
		return nil
	}
	text, err := s.Object(ctx, h.Spec)
	if err != nil {
		return err
	}
	spec, err := grid.Decode(h.SpecName, text)
	if err != nil {
		return err
	}
	s.setSpec(h.Spec, spec)
	return nil
}

func (s *Sweep) setSpec(key string, spec *grid.Spec) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.specKey, s.spec = key, spec
}

// Object returns a frozen object that a Head names.
func (s *Sweep) Object(ctx context.Context, key string) ([]byte, error) {
	b, err := s.store.Get(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	return b, nil
}
