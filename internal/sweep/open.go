package sweep

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"sync"
	"time"

	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep/internal/chain"
	"github.com/fanout-dev/fanout/internal/sweep/internal/jsonl"
	"github.com/fanout-dev/fanout/internal/sweep/internal/plan"
)

// A Sweep is an opened sweep. Its methods may be called concurrently.
type Sweep struct {
	store     store.Store
	name      string
	version   int    // of its format
	id        string // drawn when it was made; empty for sweeps of early versions
	mu        sync.Mutex
	head      Head
	planned   bool
	spec      *grid.Spec // of the plan with the key specKey; nil while nobody asked for it
	specKey   string
	runs      []*RunState // planned ones in plan order, then the others
	byID      map[string]*RunState
	chain     *chain.Chain                  // nil where there are no steps
	templates map[string]*notebook.Notebook // by key, decoded
	runLimit  *grid.Limit                   // in place of the planned run timeouts
	unlogged  []ended                       // ends found in notebooks, not in the log
	lease     *Lease                        // nil while this process only reads
	absorbed  map[string]int64              // shard → bytes of its log that are known
	begun     map[string]map[string]int     // shard → run → attempt that its worker began
	shards    map[string]int                // open shard → epoch of the lease it was composed under
	closed    map[string]bool               // shards of which nothing is at work any more
}

// format is the content of the FORMAT object.
type format struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	Name    string `json:"name"`
	ID      string `json:"id,omitempty"`
}

// ErrNotASweep reports a place that holds something else.
var ErrNotASweep = errors.New("not a sweep")

// Init makes an empty sweep in st, or opens the one that is there already if
// it has the same name.
func Init(ctx context.Context, st store.Store, name string) (*Sweep, error) {
	s, err := Open(ctx, st)
	if err == nil && s.name != name {
		return nil, &OtherSweepError{Where: st.String(), Has: s.name, Wanted: name}
	}
	if !errors.Is(err, ErrNotASweep) {
		return s, err
	}
	if err := checkEmpty(ctx, st); err != nil {
		return nil, err
	}
	if err := store.CreateFirst(ctx, st, KeyFormat, jsonl.Line(format{formatName, formatFirst, name, newID()})); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("create sweep: %w", err)
	}
	return Open(ctx, st)
}

// checkEmpty refuses to make a sweep among other people's files.
func checkEmpty(ctx context.Context, st store.Store) error {
	for o, err := range st.List(ctx, "") {
		if err != nil {
			return err
		}
		return fmt.Errorf("create sweep in %s: %w, and not empty: it has %s", st, ErrNotASweep, o.Key)
	}
	return nil
}

// Open reads the sweep in st. ErrNotASweep and *FormatError say that there is
// none that it could read.
func Open(ctx context.Context, st store.Store) (*Sweep, error) {
	text, err := store.GetSmall(ctx, st, KeyFormat)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open %s: %w", st, ErrNotASweep)
	}
	if err != nil {
		return nil, fmt.Errorf("open sweep: %w", err)
	}
	var f format
	if err := json.Unmarshal(text, &f); err != nil || f.Format != formatName {
		return nil, fmt.Errorf("open %s: %w: %s does not say %s, but %.60q", st, ErrNotASweep, KeyFormat, formatName, text)
	}
	if f.Version < formatFirst || f.Version > formatSteps {
		return nil, &FormatError{Where: st.String(), Version: f.Version, Reads: formatSteps}
	}
	s := &Sweep{store: st, name: f.Name, version: f.Version, id: f.ID, byID: map[string]*RunState{}, templates: map[string]*notebook.Notebook{},
		absorbed: map[string]int64{}, begun: map[string]map[string]int{}, shards: map[string]int{}, closed: map[string]bool{}}
	if err := s.readPlan(ctx); err != nil {
		return nil, fmt.Errorf("open sweep %s: %w", st, err)
	}
	if err := s.readAttempts(ctx); err != nil {
		return nil, fmt.Errorf("open sweep %s: %w", st, err)
	}
	return s, nil
}

// OpenPlanned opens a sweep whose runs are planned, with the sweep file they
// were planned from: Spec. *UnplannedError says that there are none.
func OpenPlanned(ctx context.Context, st store.Store) (*Sweep, error) {
	s, err := Open(ctx, st)
	if err != nil {
		return nil, err
	}
	if !s.planned {
		return nil, &UnplannedError{Where: st.String()}
	}
	return s, s.readSpec(ctx)
}

// Spec is the sweep file that the plan in force was made from, decoded once.
// It is nil where nothing was planned from a file, and in a sweep opened by
// Open until it is planned: opening one to execute its runs needs no YAML.
func (s *Sweep) Spec() *grid.Spec {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.spec
}

// Name is the sweep's name.
func (s *Sweep) Name() string { return s.name }

// ID tells the sweep from all others, wherever it is moved: 16 lower-case
// base32 characters. Sweeps of early versions have one made of their place.
func (s *Sweep) ID() string {
	if s.id != "" {
		return s.id
	}
	return plan.ShortDigest([]byte(s.store.String()))
}

// newID draws the id of a sweep.
func newID() string {
	var b [16]byte
	rand.Read(b[:])
	return plan.ShortDigest(b[:])
}

// Where says where the sweep is, for people.
func (s *Sweep) Where() string { return s.store.String() }

// Store is where the sweep is kept: for derived objects, whose keys are
// exported.
func (s *Sweep) Store() store.Store { return s.store }

// get decodes a small object of JSON.
func (s *Sweep) get(ctx context.Context, key string, into any) error {
	text, err := store.GetSmall(ctx, s.store, key)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// Head is the plan in force; ok is false when nothing was planned yet.
func (s *Sweep) Head() (h Head, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.head, s.planned
}

// Runs returns a snapshot of every run ever planned: those of the plan in
// force in its order, then the others.
func (s *Sweep) Runs() []RunState {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]RunState, len(s.runs))
	for i, st := range s.runs {
		out[i] = *st
	}
	return out
}

// All yields every run ever planned as it is then, in the order of Runs, without
// a copy of them all.
func (s *Sweep) All() iter.Seq[RunState] {
	s.mu.Lock()
	runs := s.runs // a new plan has a slice of its own
	s.mu.Unlock()
	return func(yield func(RunState) bool) {
		for _, p := range runs {
			s.mu.Lock()
			st := *p
			s.mu.Unlock()
			if !yield(st) {
				return
			}
		}
	}
}

// Run returns the state of one run.
func (s *Sweep) Run(id string) (RunState, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, ok := s.byID[id]
	if !ok {
		return RunState{}, false
	}
	return *st, true
}

// RunName names a planned run for people by what varies: "region=apac
// seed=3". It is the id where nothing does.
func (s *Sweep) RunName(id string) string {
	st, _ := s.Run(id)
	head, _ := s.Head()
	if name := st.Run.Name(head.Axes); name != "" {
		return name
	}
	return id
}

// Counts says how many planned runs have each status.
func (s *Sweep) Counts() map[outcome.Status]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := map[outcome.Status]int{}
	for _, st := range s.runs {
		if !st.Run.Unplanned {
			n[st.Status]++
		}
	}
	return n
}

// Ended counts the attempts, of all runs, that have ended.
func (s *Sweep) Ended() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range s.runs {
		n += st.Attempts
		if st.Began != nil {
			n--
		}
	}
	return n
}

// Current is the fingerprint that an attempt at r made now would have, as far
// as the plan in force knows it.
func (s *Sweep) Current(r Run) outcome.Fingerprint {
	h, _ := s.Head()
	f := h.Fingerprint(r)
	f.Upstream = s.fed(r)
	return f
}

// Stale names the parts, of those asked for, in which a run's success differs
// from the plan in force, and from what it was accepted as. A run without a
// success is not stale.
func (s *Sweep) Stale(st RunState, parts []string) []string {
	return st.Stale(s.Current(st.Run), parts)
}

// now is UTC, as every time at rest.
func now() time.Time { return time.Now().UTC() }
