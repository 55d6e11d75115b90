package launch

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fanout-dev/fanout/internal/firing"
	"github.com/fanout-dev/fanout/internal/lease"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// An Order is what somebody asked for, and what became of it.
type Order struct {
	ID    string    `json:"id"`
	Kind  string    `json:"kind"` // Launch, Rerun, …
	By    string    `json:"by"`
	At    time.Time `json:"at"`
	Name  string    `json:"name"` // of the sweep
	File  string    `json:"file,omitempty"`
	Where string    `json:"where"` // of the sweep
	Set   []string  `json:"set,omitempty"`
	Args  []string  `json:"args"` // of the command
	Stdin string    `json:"stdin,omitempty"`
	Stamp string    `json:"stamp,omitempty"` // in the name of the sweep, of one that is new

	Began time.Time `json:"began,omitzero"`
	Ended time.Time `json:"ended,omitzero"`
	Code  int       `json:"exit_code"`
	Says  string    `json:"says,omitempty"` // why it did not go well
}

// The kinds of orders.
const (
	Launch   = "launch"
	Rerun    = "rerun"
	Resume   = "resume"
	Schedule = "schedule"
	Fire     = "fire now"
	Catchup  = "catch up"
)

// RerunOf is the order to execute again what failed in a sweep; ResumeOf the one to
// execute what is left of it. Both take its files as they were planned.
func RerunOf(name, where string, now time.Time) Order {
	return Order{Kind: Rerun, Name: name, Where: where, At: now.UTC(), Args: []string{"rerun", where, "--failed", "--frozen"}}
}

// ResumeOf is described at RerunOf.
func ResumeOf(name, where string, now time.Time) Order {
	return Order{Kind: Resume, Name: name, Where: where, At: now.UTC(), Args: []string{"run", where, "--frozen"}}
}

// Folder is the name of the sweep's place, without what all of them end with.
func (o Order) Folder() string {
	return strings.TrimSuffix(filepath.Base(o.Where), ".sweep")
}

// State is how an order stands, for people.
func (o Order) State() string {
	switch {
	case o.Began.IsZero() && o.Ended.IsZero():
		return "waiting"
	case o.Ended.IsZero():
		return "running"
	case o.Code == 0:
		return "succeeded"
	case o.Code == exitIncomplete:
		return "some runs did not succeed"
	}
	return "failed"
}

// exitIncomplete is the exit code of a sweep in which runs did not succeed.
const exitIncomplete = 3

// Bounds of a queue.
const (
	maxWaiting = 500
	maxEnded   = 200 // that are kept; the oldest go
	maxSays    = 2000
	maxLog     = 256 << 10
)

// A Queue executes orders. What is in it is in a folder of its own, so that nothing
// is lost when the server ends.
type Queue struct {
	Folder string
	AtOnce int // orders at a time, of different sweeps
	// Start executes the command with arguments, and returns its exit code. When the
	// context ends, it stops the command; its lease.Deed says who asked for it.
	Start  func(ctx context.Context, args []string, stdin string, log *os.File) (code int, err error)
	Open   func(ctx context.Context, where string) (store.Store, error)
	Report func(text string)

	mu     sync.Mutex
	orders []*Order
	busy   map[string]bool // orders that are executed now, by id
	news   chan struct{}
}

// Load reads what an earlier server left, and makes the folder.
func (q *Queue) Load() error {
	q.news, q.busy = make(chan struct{}, 1), map[string]bool{}
	if err := os.MkdirAll(q.Folder, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(q.Folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		id, isOrder := strings.CutSuffix(e.Name(), ".json")
		if !isOrder {
			continue
		}
		var o Order
		text, err := os.ReadFile(filepath.Join(q.Folder, e.Name()))
		if err == nil {
			err = json.Unmarshal(text, &o)
		}
		if err != nil || o.ID != id {
			q.report(fmt.Errorf("read the order %s: %w", e.Name(), errors.Join(err, errors.New("it is not taken up"))))
			continue
		}
		q.orders = append(q.orders, &o)
	}
	slices.SortFunc(q.orders, func(a, b *Order) int { return a.At.Compare(b.At) })
	return nil
}

// Orders are all that are known, the latest first.
func (q *Queue) Orders() []Order {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := make([]Order, len(q.orders))
	for i, o := range q.orders {
		all[len(all)-1-i] = *o
	}
	return all
}

// ErrAgain says that something was ordered already.
var ErrAgain = errors.New("that was ordered already")

// same reports whether another order, of which this one is a copy, asks for what it does: it
// has not ended, or it is the launch of a form that names its sweep by the moment.
func (o *Order) same(other Order) bool {
	stamped := o.Kind == Launch && o.Stamp != "" && o.Stamp == other.Stamp
	return o.Kind == other.Kind && slices.Equal(o.Args, other.Args) && o.Stdin == other.Stdin && (o.Ended.IsZero() || stamped)
}

// Given is the order that one like this was given as already, if it was.
func (q *Queue) Given(o Order) (given Order, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.IndexFunc(q.orders, func(other *Order) bool { return other.same(o) })
	if i < 0 {
		return o, false
	}
	return *q.orders[i], true
}

// Taken reports whether the place of a new sweep was given to another order.
func (q *Queue) Taken(o Order) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return o.Stamp != "" && slices.ContainsFunc(q.orders, func(other *Order) bool { return other.Where == o.Where && !other.same(o) })
}

// Add accepts an order: once it returns, the order is executed, whatever happens to
// the server. Of what was ordered already it returns that order, with ErrAgain.
func (q *Queue) Add(o Order) (Order, error) {
	o.ID = strings.ToLower(rand.Text()[:16])
	q.mu.Lock()
	defer q.mu.Unlock()
	waiting := 0
	for _, other := range q.orders {
		if other.Ended.IsZero() {
			waiting++
		}
		if other.same(o) {
			return *other, ErrAgain
		}
		if other.Ended.IsZero() && other.Where == o.Where {
			return o, unit.Mistake(unit.WithHint(fmt.Errorf("the sweep %s is waiting or running already", o.Name), "wait until it has ended, or cancel it"))
		}
	}
	if waiting >= maxWaiting {
		return o, unit.Mistake(unit.WithHint(fmt.Errorf("%d orders are waiting", waiting), "try again when some have ended"))
	}
	if err := q.put(&o); err != nil {
		return o, err
	}
	q.orders = append(q.orders, &o)
	q.wake()
	return o, nil
}

// Now executes an order at once, whatever else is waiting or running, and returns when
// that has ended: it is for what takes a moment. An order that went wrong is a mistake
// that says what the command said.
func (q *Queue) Now(ctx context.Context, o Order) error {
	o.ID = strings.ToLower(rand.Text()[:16])
	o.Began = time.Now().UTC()
	q.mu.Lock()
	err := q.put(&o)
	if err == nil {
		q.orders, q.busy[o.ID] = append(q.orders, &o), true
	}
	q.mu.Unlock()
	if err != nil {
		return err
	}
	code, err := q.command(context.WithoutCancel(ctx), o)
	says := q.says(o, code)
	if err != nil {
		says = err.Error()
	}
	id := o.ID
	q.end(&o, code, says)
	q.mu.Lock()
	delete(q.busy, id)
	q.mu.Unlock()
	if code != 0 || err != nil {
		return unit.Mistake(errors.New(strings.TrimPrefix(says, "fanout: ")))
	}
	return nil
}

// Withdraw takes back the order of a sweep that has not begun; ok is false when none
// was waiting.
func (q *Queue) Withdraw(where, by string) (ok bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, o := range q.orders {
		if o.Where == where && o.Began.IsZero() && o.Ended.IsZero() {
			o.Ended, o.Code, o.Says = time.Now().UTC(), -1, "canceled by "+by+" before it began"
			return true, q.put(o)
		}
	}
	return false, nil
}

func (q *Queue) wake() {
	select {
	case q.news <- struct{}{}:
	default:
	}
}

// put writes an order; it is called with the lock.
func (q *Queue) put(o *Order) error {
	text, err := json.MarshalIndent(o, "", " ")
	if err != nil {
		return err
	}
	if err := store.Dir(q.Folder).Put(context.Background(), o.ID+".json", append(text, '\n'), store.Synced); err != nil {
		return fmt.Errorf("keep an order: %w", err)
	}
	return nil
}

// Run executes orders until the context ends, and then waits for those that it
// stops. They are taken up by the next server.
func (q *Queue) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	slots := make(chan struct{}, max(q.AtOnce, 1))
	for {
		select {
		case <-ctx.Done():
			return
		case slots <- struct{}{}:
		}
		o := q.next()
		if o == nil {
			<-slots
			select {
			case <-ctx.Done():
				return
			case <-q.news:
			}
			continue
		}
		running.Go(func() {
			q.execute(ctx, o)
			q.mu.Lock()
			delete(q.busy, o.ID)
			q.mu.Unlock()
			<-slots
			q.wake()
		})
	}
}

// next is the order to execute: the oldest of whoever has the fewest running.
func (q *Queue) next() *Order {
	q.mu.Lock()
	defer q.mu.Unlock()
	running := map[string]int{}
	for _, o := range q.orders {
		if q.busy[o.ID] {
			running[o.By]++
		}
	}
	var best *Order
	for _, o := range q.orders {
		if o.Ended.IsZero() && !q.busy[o.ID] && (best == nil || running[o.By] < running[best.By]) {
			best = o
		}
	}
	if best != nil {
		q.busy[best.ID] = true
	}
	return best
}

// execute executes an order. One that somebody else holds the sweep of, such as the
// command of an earlier server, is looked at again when that has ended.
func (q *Queue) execute(ctx context.Context, o *Order) {
	for range maxHeld {
		if code := q.attempt(ctx, o); code != exitHeld {
			return
		}
	}
	q.end(o, exitHeld, "others kept running the sweep")
}

// maxHeld is how often an order finds its sweep held, and exitHeld the exit code then.
const (
	maxHeld  = 5
	exitHeld = 4
)

// attempt executes an order, or looks what became of one that was begun.
func (q *Queue) attempt(ctx context.Context, o *Order) (code int) {
	if !o.Began.IsZero() {
		again, err := q.unfinished(ctx, *o)
		switch {
		case ctx.Err() != nil:
			return 0
		case err != nil:
			q.end(o, -1, err.Error())
			return -1
		case !again:
			q.end(o, 0, "it ended while no server watched")
			return 0
		}
	}
	q.mu.Lock()
	o.Began = time.Now().UTC()
	err := q.put(o)
	order := *o
	q.mu.Unlock()
	code = -1
	if err == nil {
		code, err = q.start(ctx, order)
	}
	if ctx.Err() != nil {
		return 0 // the next server takes it up
	}
	if code == exitHeld && err == nil {
		return code
	}
	says := q.says(order, code)
	if err != nil {
		says = err.Error()
	}
	q.end(o, code, says)
	return code
}

// lookEvery is how often a sweep is looked at that another process executes.
const lookEvery = 2 * time.Second

// unfinished waits while somebody executes the sweep of an order, and reports whether
// something is left of it.
func (q *Queue) unfinished(ctx context.Context, o Order) (bool, error) {
	st, err := q.Open(ctx, o.Where)
	if err != nil {
		return false, err
	}
	for {
		if _, held := lease.HeldBy(ctx, st); !held {
			break
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(lookEvery):
		}
	}
	if o.Kind == Schedule || o.Kind == Catchup {
		return true, nil // what is done already is left out
	}
	s, err := sweep.OpenPlanned(ctx, st)
	var unplanned *sweep.UnplannedError
	if errors.As(err, &unplanned) || errors.Is(err, sweep.ErrNotASweep) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	n := s.Counts()
	return n[outcome.Planned]+n[outcome.Running]+n[outcome.Canceled] > 0, nil
}

// start executes the command of an order. Who asked for it is in the history of the
// sweep.
func (q *Queue) start(ctx context.Context, o Order) (code int, err error) {
	if o.timed() {
		return q.command(ctx, o)
	}
	log, err := os.OpenFile(q.log(o), os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return -1, err
	}
	defer log.Close()
	st, err := q.Open(ctx, o.Where)
	switch {
	case err != nil:
	case o.Kind == Launch:
		_, err = sweep.Init(ctx, st, o.Name)
	default: // what is written below would bring back a folder that was removed
		if _, err = st.Stat(ctx, sweep.KeyFormat); errors.Is(err, fs.ErrNotExist) {
			err = errors.New("the sweep was removed before it began")
		}
	}
	if err != nil {
		return -1, err
	}
	me := lease.Me()
	history, err := firing.Begin(ctx, st, firing.Firing{Due: o.At, By: "fanout serve", Host: me.Host, User: me.User, Asked: o.By})
	if err != nil {
		return -1, err
	}
	code, err = q.Start(lease.Doing(ctx, lease.Deed{From: "web", For: o.By}), o.Args, o.Stdin, log)
	text, _ := os.ReadFile(q.log(o))
	history.Write(text[:min(len(text), maxLog)])
	return code, errors.Join(err, history.Close(context.WithoutCancel(ctx), code, ""))
}

// command executes the command of an order, and nothing else.
func (q *Queue) command(ctx context.Context, o Order) (code int, err error) {
	log, err := os.OpenFile(q.log(o), os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		return -1, err
	}
	defer log.Close()
	return q.Start(lease.Doing(ctx, lease.Deed{From: "web", For: o.By}), o.arguments(), o.Stdin, log)
}

func (q *Queue) log(o Order) string { return filepath.Join(q.Folder, o.ID+".log") }

// says is why an order did not go well: the end of what the command printed.
func (q *Queue) says(o Order, code int) string {
	if code == 0 {
		return ""
	}
	text, _ := os.ReadFile(q.log(o))
	return unit.Lines(strings.TrimSpace(string(text[max(0, len(text)-maxSays):])))
}

// end records the end of an order, and forgets the oldest.
func (q *Queue) end(o *Order, code int, says string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	o.Ended, o.Code, o.Says = time.Now().UTC(), code, says
	q.report(q.put(o))
	ended := 0
	for _, other := range slices.Backward(q.orders) {
		if other.Ended.IsZero() {
			continue
		}
		if ended++; ended > maxEnded {
			q.report(q.forget(other))
		}
	}
	q.orders = slices.DeleteFunc(q.orders, func(other *Order) bool { return other.ID == "" })
}

func (q *Queue) forget(o *Order) error {
	err := os.Remove(q.log(*o))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	err = errors.Join(err, os.Remove(filepath.Join(q.Folder, o.ID+".json")))
	o.ID = ""
	return err
}

func (q *Queue) report(err error) {
	if err != nil && q.Report != nil {
		q.Report(err.Error())
	}
}
