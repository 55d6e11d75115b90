// Package lease lets one process at a time change what is in a store.
//
// In goes a store, out comes a Term of its lease: epochs number the terms from
// 1, a lock ends with its holder, and a record says who the holder is. Whoever
// only reads can ask who holds the lease, and ask that holder to stop. Package
// lease knows nothing of what the lease protects.
package lease

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path"
	"strconv"
	"time"

	"github.com/fanout-dev/fanout/internal/store"
)

// The keys of what the lease keeps in a store. Nothing else is below prefix; deeds that
// need no lease are elsewhere.
const (
	prefix  = "lease/"
	keyLock = prefix + "lock"
)

func keyTerm(epoch int) string   { return fmt.Sprintf("%s%06d", prefix, epoch) }
func keyCancel(epoch int) string { return keyTerm(epoch) + ".cancel" }

// A Holder says who has, or had, the lease.
type Holder struct {
	Host  string    `json:"host"`
	PID   int       `json:"pid"`
	User  string    `json:"user"`
	Since time.Time `json:"since"`
	Deed
}

// A Deed is what somebody does with a store, and how he came to it, as he says.
type Deed struct {
	Command string `json:"command,omitempty"` // what was typed
	From    string `json:"from,omitempty"`    // terminal, program, schedule or web
	For     string `json:"for,omitempty"`     // who asked for it, if not the user
}

type deedKey struct{}

// Doing makes those who take a lease, or ask its holder to stop, say what they do.
func Doing(ctx context.Context, d Deed) context.Context { return context.WithValue(ctx, deedKey{}, d) }

// DeedOf is what a context is about; zero when it does not say.
func DeedOf(ctx context.Context) Deed {
	d, _ := ctx.Value(deedKey{}).(Deed)
	return d
}

// signed is this process as a holder, as JSON.
func signed(ctx context.Context) ([]byte, error) {
	me := Me()
	me.Deed = DeedOf(ctx)
	text, err := json.Marshal(me)
	return append(text, '\n'), err
}

// Me is this process as a holder since now.
func Me() Holder {
	host, _ := os.Hostname()
	name := strconv.Itoa(os.Getuid())
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return Holder{Host: host, PID: os.Getpid(), User: name, Since: time.Now().UTC()}
}

// HeldError reports that a live fanout holds the sweep.
type HeldError struct {
	Where string
	Holder
	Lost bool // it was ours, and the other has taken it over
}

func (e *HeldError) Error() string {
	if e.Lost {
		return fmt.Sprintf("sweep %s was taken over by process %d of %s on %s, because this one was silent", e.Where, e.PID, e.User, e.Host)
	}
	return fmt.Sprintf("sweep %s is held by a live fanout: process %d of %s on %s, since %s",
		e.Where, e.PID, e.User, e.Host, e.Since.Local().Format("2006-01-02 15:04:05"))
}

// Hint says what to do about it.
func (e *HeldError) Hint() string {
	if e.Lost {
		return "leave it to the other, which has everything that finished; `fanout status` shows how far it is"
	}
	return fmt.Sprintf("wait for it, or end process %d; `fanout status` shows how far it is", e.PID)
}

// A Term is one tenure of the lease, until End.
type Term struct {
	store store.Store
	epoch int
	lock  store.Lock
}

// Take takes the lease. A *HeldError says who has it.
func Take(ctx context.Context, st store.Store) (*Term, error) {
	lock, err := tryLock(ctx, st)
	if errors.Is(err, store.ErrLocked) {
		return nil, &HeldError{Where: st.String(), Holder: last(ctx, st)}
	}
	if err != nil {
		return nil, fmt.Errorf("take the lease of %s: %w", st, err)
	}
	t := &Term{store: st, lock: lock}
	if err := t.begin(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("take the lease of %s: %w", st, err), lock.Unlock())
	}
	return t, nil
}

// tryLock tries for a moment: HeldBy shares the lock for an instant to look.
func tryLock(ctx context.Context, st store.Store) (lock store.Lock, err error) {
	for range 5 {
		if lock, err = st.Lock(ctx, keyLock); !errors.Is(err, store.ErrLocked) {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	return lock, err
}

// begin records who has the next term.
func (t *Term) begin(ctx context.Context) error {
	before, err := lastEpoch(ctx, t.store)
	if err != nil {
		return err
	}
	t.epoch = before + 1
	text, err := signed(ctx)
	if err != nil {
		return err
	}
	return t.store.Create(ctx, keyTerm(t.epoch), text, store.Cached)
}

// Epoch numbers the term, from 1.
func (t *Term) Epoch() int { return t.epoch }

// Check returns nil while nobody else can have the lease. A *HeldError says who
// has taken it over.
func (t *Term) Check(ctx context.Context) error {
	err := t.lock.Check(ctx)
	if errors.Is(err, store.ErrLost) {
		return &HeldError{Where: t.store.String(), Holder: last(ctx, t.store), Lost: true}
	}
	return err
}

// Guard returns a context that ends, with a *HeldError as its cause, when check
// says that somebody else has the lease. check is called once a second.
func Guard(ctx context.Context, check func(context.Context) error) (guarded context.Context, stop func()) {
	guarded, cancel := context.WithCancelCause(ctx)
	go func() {
		tick := time.NewTicker(guardEvery)
		defer tick.Stop()
		for {
			select {
			case <-guarded.Done():
				return
			case <-tick.C:
			}
			var lost *HeldError
			if errors.As(check(guarded), &lost) {
				cancel(lost)
			}
		}
	}()
	return guarded, func() { cancel(context.Canceled) }
}

// guardEvery is how often Guard looks: the lock knows without asking anybody.
const guardEvery = time.Second

// CancelAsked says who asked this process to stop, if anybody did.
func (t *Term) CancelAsked(ctx context.Context) (by Holder, asked bool, err error) {
	text, err := store.GetSmall(ctx, t.store, keyCancel(t.epoch))
	if errors.Is(err, fs.ErrNotExist) {
		return by, false, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &by)
	}
	return by, err == nil, err
}

// End gives the lease back.
func (t *Term) End() error { return t.lock.Unlock() }

// HeldBy reports who holds the lease at this moment, if anybody does. It writes
// nothing.
func HeldBy(ctx context.Context, st store.Store) (Holder, bool) {
	if locked, err := st.Locked(ctx, keyLock); err != nil || !locked {
		return Holder{}, false
	}
	return last(ctx, st), true
}

// AskCancel asks the process that holds the lease to stop and to leave, which
// sees the request with CancelAsked.
func AskCancel(ctx context.Context, st store.Store) error {
	epoch, err := lastEpoch(ctx, st)
	if err != nil {
		return err
	}
	text, err := signed(ctx)
	if err != nil {
		return err
	}
	if err := st.Put(ctx, keyCancel(epoch), text, store.Synced); err != nil {
		return fmt.Errorf("ask the holder of %s to stop: %w", st, err)
	}
	return nil
}

// First is who had the first term, and so made what the lease protects; zero
// when that cannot be read. It is what they say of themselves.
func First(ctx context.Context, st store.Store) (h Holder) {
	if b, err := store.GetSmall(ctx, st, keyTerm(1)); err == nil {
		json.Unmarshal(b, &h)
	}
	return h
}

// last is who had the newest term; zero when that cannot be read.
func last(ctx context.Context, st store.Store) (h Holder) {
	if epoch, err := lastEpoch(ctx, st); err == nil {
		if b, err := store.GetSmall(ctx, st, keyTerm(epoch)); err == nil {
			json.Unmarshal(b, &h)
		}
	}
	return h
}

func lastEpoch(ctx context.Context, st store.Store) (int, error) {
	newest := 0
	for o, err := range st.List(ctx, prefix) {
		if err != nil {
			return 0, err
		}
		n, ok, err := store.Number(o.Key, path.Base(o.Key))
		if err != nil {
			return 0, err
		}
		if ok {
			newest = max(newest, n)
		}
	}
	return newest, nil
}
