// Package store keeps objects by key: a directory, or memory for tests.
//
// Keys are slash-separated, relative and clean ("attempts/ab12.1.ipynb").
// Every object is whole or absent: a reader, a crash or a full disk never
// sees half of one. A missing object is fs.ErrNotExist, a lost race to create
// one is fs.ErrExist, both found with errors.Is.
//
// Package store knows nothing of sweeps: what a key means is the caller's
// affair.
package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path"
	"time"
)

// ErrLocked reports that somebody else holds a lock.
var ErrLocked = errors.New("held by somebody else")

// Object describes a stored object.
type Object struct {
	Key     string
	Size    int64 // bytes
	ModTime time.Time
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
	// Stat describes one object.
	Stat(ctx context.Context, key string) (Object, error)
	// Delete removes an object; an absent one is no error.
	Delete(ctx context.Context, key string) error
	// Append opens a log for appending. Its records are read back, in
	// order, by getting every object List yields for key.
	Append(ctx context.Context, key string) (Appender, error)
	// Lock takes an exclusive lock that ends with this process at the
	// latest. It never waits: ErrLocked means that somebody holds it.
	Lock(ctx context.Context, key string) (unlock func() error, err error)
	// String names the store for people.
	String() string
}

// An Appender adds whole records to the end of a log. It may be used
// concurrently.
type Appender interface {
	// Write adds one record, Cached once it returns.
	Write(record []byte) (int, error)
	// Sync makes every record written so far Synced.
	Sync() error
	// Close syncs and releases the log.
	Close() error
}

// checkKey refuses keys that could leave the store.
func checkKey(key string) error {
	if key == "" || path.Clean(key) != key || !fs.ValidPath(key) || key == "." {
		return fmt.Errorf("store key %q: not a clean relative path", key)
	}
	return nil
}
