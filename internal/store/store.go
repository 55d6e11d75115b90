// Package store keeps objects by key: in a directory, in a bucket of an object
// store (S3, GCS), or in memory for tests. Open finds the one a place names.
//
// Keys are slash-separated, relative and clean ("attempts/ab12.1.ipynb").
// Every object is whole or absent: a reader, a crash or a full disk never
// sees half of one. A missing object is fs.ErrNotExist, a lost race to create
// one is fs.ErrExist, both found with errors.Is.
//
// Package store knows nothing of sweeps: the meaning of a key is up to the caller.
package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/store/internal/remote"
)

// ErrLocked reports that somebody else holds a lock.
var ErrLocked = errors.New("held by somebody else")

// ErrLost reports a lock that somebody else has taken over.
var ErrLost = errors.New("taken over by somebody else")

// Object describes a stored object.
type Object struct {
	Key     string
	Size    int64     // bytes
	ModTime time.Time // by the store's clock; in whole seconds for a bucket
}

// Durability says what a write survives once it has returned.
type Durability bool

const (
	// Cached survives the death of this process, not of the machine.
	Cached Durability = false
	// Synced survives the death of the machine.
	Synced Durability = true
)

// A Store holds objects by key. All methods may be called concurrently.
type Store interface {
	// Get returns the whole object.
	Get(ctx context.Context, key string) ([]byte, error)
	// Put writes an object, replacing what was there.
	Put(ctx context.Context, key string, data []byte, d Durability) error
	// Write is Put of what write writes, for objects too large to hold. When
	// write fails nothing is changed.
	Write(ctx context.Context, key string, write func(io.Writer) error, d Durability) error
	// Create writes an object that must not exist: of several writers
	// exactly one succeeds, the others get fs.ErrExist.
	Create(ctx context.Context, key string, data []byte, d Durability) error
	// Copy makes dst hold what src holds, replacing what was there. The two
	// may share storage: neither is ever written in place.
	Copy(ctx context.Context, dst, src string) error
	// List yields the objects whose keys begin with prefix, in key order.
	// A prefix that ends in "/" reads one folder and what is beneath it.
	List(ctx context.Context, prefix string) iter.Seq2[Object, error]
	// Level yields what lies directly in a folder, in key order: "" is the
	// outermost, others end in "/". A folder in it is an Object of no size
	// whose key ends in "/". What is deeper is not read.
	Level(ctx context.Context, folder string) iter.Seq2[Object, error]
	// Stat describes one object.
	Stat(ctx context.Context, key string) (Object, error)
	// Delete removes an object; an absent one is not an error.
	Delete(ctx context.Context, key string) error
	// Append opens a log for appending. A log has one writer at a time and
	// is read by Logs and Tail: it may be kept in several objects.
	Append(ctx context.Context, key string) (Appender, error)
	// Logs yields the logs whose keys begin with prefix, in key order. A large
	// one may come in several pieces, one after the other. Each is whole until
	// the next is asked for.
	Logs(ctx context.Context, prefix string) iter.Seq2[Log, error]
	// Tail returns what a log holds from byte from on, and the position to
	// continue from. A log that does not exist yet is empty.
	Tail(ctx context.Context, key string, from int64) (data []byte, next int64, err error)
	// Lock takes an exclusive lock, which does not outlive this process: a
	// directory's ends with it, a bucket's when its holder has been silent
	// for a while. It never waits for a holder: ErrLocked means that there
	// is one.
	Lock(ctx context.Context, key string) (Lock, error)
	// Locked reports whether somebody holds a lock. It writes nothing.
	Locked(ctx context.Context, key string) (bool, error)
	// String names the store for people, and for Open: it has no secrets.
	String() string
}

// An Appender adds whole records to the end of a log. It may be used
// concurrently.
type Appender interface {
	// Write adds one record, Cached once it returns.
	Write(record []byte) (int, error)
	// Later adds a record that need not be Cached before the next Write or
	// Sync returns. In a bucket it costs no extra request.
	Later(record []byte) error
	// Sync makes every record written so far Synced.
	Sync() error
	// Close syncs and releases the log.
	Close() error
}

// A Log is the current state of a log, or a piece of it.
type Log struct {
	Key  string
	Data []byte
}

// A Lock is held until Unlock, unless it is lost.
type Lock interface {
	// Check returns nil while nobody else can have the lock, and ErrLost
	// once somebody has. It may have to ask the store.
	Check(ctx context.Context) error
	// Unlock gives the lock back.
	Unlock() error
}

// MaxSmall is how many bytes GetSmall reads at most.
const MaxSmall = 16 << 20

// GetSmall is Get of an object that is small unless somebody lies: a larger one is
// an error before it is read.
func GetSmall(ctx context.Context, st Store, key string) ([]byte, error) {
	return st.Get(context.WithValue(ctx, mostKey{}, int64(MaxSmall)), key)
}

// maxNumber is more than anybody counts to by creating one object after the other.
const maxNumber = 1_000_000_000

// A NumberError reports an object with a number that nobody counted to: after it
// there is no next one.
type NumberError struct{ Key string }

func (e *NumberError) Error() string { return e.Key + " has a number that fanout did not give it" }

// Hint says what to do about it.
func (e *NumberError) Hint() string {
	return "somebody else put it there: if you trust the rest of the sweep, delete " + e.Key + " in it"
}

// Number reads the number in the name of one of the objects of key that are created
// one after the other; ok is false where text is none. The error is a *NumberError.
func Number(key, text string) (n int, ok bool, err error) {
	n, bad := strconv.Atoi(text)
	if n >= maxNumber { // also if it is out of range
		return 0, false, &NumberError{key}
	}
	return n, bad == nil, nil
}

type mostKey struct{}

// most is how many bytes of an object are read.
func most(ctx context.Context) int64 {
	if n, ok := ctx.Value(mostKey{}).(int64); ok {
		return n
	}
	return remote.MaxObject
}

// checkKey refuses keys that could leave the store.
func checkKey(key string) error {
	if key == "" || path.Clean(key) != key || !fs.ValidPath(key) || key == "." {
		return fmt.Errorf("store key %q: not a clean relative path", key)
	}
	return nil
}

// checkFolder refuses what names no folder of a store.
func checkFolder(folder string) error {
	if folder == "" {
		return nil
	}
	name, isFolder := strings.CutSuffix(folder, "/")
	if !isFolder {
		return fmt.Errorf("store folder %q: it does not end in a slash", folder)
	}
	return checkKey(name)
}
