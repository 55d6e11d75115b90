package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"sort"
	"strings"
	"sync"
	"time"
)

type mem struct {
	mu      sync.Mutex
	objects map[string]memObject
	locks   map[string]bool
}

type memObject struct {
	data []byte
	at   time.Time
}

// Mem returns an empty store in memory, for tests.
func Mem() Store {
	return &mem{objects: map[string]memObject{}, locks: map[string]bool{}}
}

func (m *mem) String() string { return "memory" }

func missing(op, key string) error { return &fs.PathError{Op: op, Path: key, Err: fs.ErrNotExist} }

func (m *mem) Get(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[key]
	if !ok {
		return nil, missing("get", key)
	}
	return bytes.Clone(o.data), nil
}

func (m *mem) Put(_ context.Context, key string, data []byte, _ Durability) error {
	if err := checkKey(key); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.objects[key] = memObject{bytes.Clone(data), time.Now()}
	return nil
}

func (m *mem) Write(ctx context.Context, key string, write func(io.Writer) error, d Durability) error {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return err
	}
	return m.Put(ctx, key, b.Bytes(), d)
}

func (m *mem) Create(_ context.Context, key string, data []byte, _ Durability) error {
	if err := checkKey(key); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.objects[key]; ok {
		return fmt.Errorf("write %s: %w", key, fs.ErrExist)
	}
	m.objects[key] = memObject{bytes.Clone(data), time.Now()}
	return nil
}

func (m *mem) Copy(_ context.Context, dst, src string) error {
	if err := errors.Join(checkKey(dst), checkKey(src)); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[src]
	if !ok {
		return missing("copy", src)
	}
	m.objects[dst] = o
	return nil
}

func (m *mem) List(_ context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		for _, o := range m.list(prefix) {
			if !yield(o, nil) {
				return
			}
		}
	}
}

func (m *mem) list(prefix string) []Object {
	m.mu.Lock()
	defer m.mu.Unlock()
	var objects []Object
	for key, o := range m.objects {
		if strings.HasPrefix(key, prefix) {
			objects = append(objects, Object{key, int64(len(o.data)), o.at})
		}
	}
	sort.Slice(objects, func(i, j int) bool { return objects[i].Key < objects[j].Key })
	return objects
}

func (m *mem) Level(_ context.Context, folder string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		if err := checkFolder(folder); err != nil {
			yield(Object{}, err)
			return
		}
		last := ""
		for _, o := range m.list(folder) {
			if name, _, deeper := strings.Cut(o.Key[len(folder):], "/"); deeper {
				o = Object{Key: folder + name + "/"}
			}
			if o.Key == last {
				continue
			}
			if last = o.Key; !yield(o, nil) {
				return
			}
		}
	}
}

func (m *mem) Stat(_ context.Context, key string) (Object, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[key]
	if !ok {
		return Object{}, missing("stat", key)
	}
	return Object{key, int64(len(o.data)), o.at}, nil
}

func (m *mem) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, key)
	return nil
}

func (m *mem) Append(_ context.Context, key string) (Appender, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	return &memLog{m, key}, nil
}

type memLog struct {
	m   *mem
	key string
}

func (l *memLog) Write(record []byte) (int, error) {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	o := l.m.objects[l.key]
	o.data = append(bytes.Clone(o.data), record...)
	o.at = time.Now()
	l.m.objects[l.key] = o
	return len(record), nil
}

func (l *memLog) Later(record []byte) error { _, err := l.Write(record); return err }
func (l *memLog) Sync() error               { return nil }
func (l *memLog) Close() error              { return nil }

func (m *mem) Logs(ctx context.Context, prefix string) iter.Seq2[Log, error] {
	return func(yield func(Log, error) bool) {
		for _, o := range m.list(prefix) {
			data, err := m.Get(ctx, o.Key)
			if !yield(Log{o.Key, data}, err) {
				return
			}
		}
	}
}

func (m *mem) Tail(_ context.Context, key string, from int64) ([]byte, int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	data := m.objects[key].data
	data = bytes.Clone(data[min(from, int64(len(data))):])
	return data, from + int64(len(data)), nil
}

func (m *mem) Lock(_ context.Context, key string) (Lock, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.locks[key] {
		return nil, fmt.Errorf("lock %s: %w", key, ErrLocked)
	}
	m.locks[key] = true
	return &memLock{m, key}, nil
}

type memLock struct {
	m   *mem
	key string
}

func (*memLock) Check(context.Context) error { return nil }

func (l *memLock) Unlock() error {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	delete(l.m.locks, l.key)
	return nil
}

func (m *mem) Locked(_ context.Context, key string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.locks[key], nil
}

func randomName() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
