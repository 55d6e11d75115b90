package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// tempPrefix marks files that are being written. List never yields them.
const tempPrefix = ".writing-"

type dir struct {
	root string
	made sync.Map // folders known to exist
}

// Dir returns the store that keeps its objects as files beneath root. root
// itself is created with the first write.
func Dir(root string) Store { return &dir{root: root} }

func (d *dir) String() string { return d.root }

func (d *dir) file(key string) string { return filepath.Join(d.root, filepath.FromSlash(key)) }

func (d *dir) Get(_ context.Context, key string) ([]byte, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	return os.ReadFile(d.file(key))
}

func (d *dir) Put(_ context.Context, key string, data []byte, dur Durability) error {
	return d.Write(context.Background(), key, content(data), dur)
}

func (d *dir) Write(_ context.Context, key string, write func(io.Writer) error, dur Durability) error {
	return d.write(key, write, dur, os.Rename)
}

// content writes bytes that are there already.
func content(data []byte) func(io.Writer) error {
	return func(w io.Writer) error { _, err := w.Write(data); return err }
}

func (d *dir) Create(_ context.Context, key string, data []byte, dur Durability) error {
	return d.write(key, content(data), dur, func(temp, file string) error {
		if err := os.Link(temp, file); err != nil {
			return err
		}
		return os.Remove(temp)
	})
}

func (d *dir) Copy(_ context.Context, dst, src string) error {
	if err := errors.Join(checkKey(dst), checkKey(src)); err != nil {
		return err
	}
	temp, err := d.tempName(dst)
	if err != nil {
		return err
	}
	defer os.Remove(temp)
	if err := os.Link(d.file(src), temp); err != nil {
		return err
	}
	if err := os.Rename(temp, d.file(dst)); err != nil {
		return err
	}
	// Rename does nothing when both names are links to one file already.
	return nil
}

// write fills a temporary file beside key and lets place give it its name.
func (d *dir) write(key string, fill func(io.Writer) error, dur Durability, place func(temp, file string) error) (err error) {
	if err := checkKey(key); err != nil {
		return err
	}
	f, err := d.openTemp(key)
	if err != nil {
		return fmt.Errorf("write %s: %w", key, cause(err))
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if err := fillFile(f, fill, dur); err != nil {
		return fmt.Errorf("write %s: %w", key, cause(err))
	}
	if err := place(f.Name(), d.file(key)); err != nil {
		return fmt.Errorf("write %s: %w", key, cause(err))
	}
	if dur == Synced {
		return syncDir(filepath.Dir(d.file(key)))
	}
	return nil
}

// cause drops the path of a file operation, which names a temporary file.
func cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	var le *os.LinkError
	if errors.As(err, &le) {
		return le.Err
	}
	return err
}

// openTemp creates a temporary file beside key. The folder may have been removed
// since it was made: derived files may be deleted at any time.
func (d *dir) openTemp(key string) (f *os.File, err error) {
	for range 2 {
		temp, err := d.tempName(key)
		if err != nil {
			return nil, err
		}
		f, err = os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
		d.made.Delete(filepath.Dir(temp))
	}
	return nil, fs.ErrNotExist
}

func fillFile(f *os.File, fill func(io.Writer) error, dur Durability) error {
	err := fill(f)
	if err == nil && dur == Synced {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func syncDir(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	err = f.Sync()
	if errors.Is(err, unix.EINVAL) { // some file systems cannot sync a folder
		err = nil
	}
	return errors.Join(err, f.Close())
}

// tempName makes the folder of key and returns a fresh name in it.
func (d *dir) tempName(key string) (string, error) {
	folder := filepath.Dir(d.file(key))
	if _, ok := d.made.Load(folder); !ok {
		if err := os.MkdirAll(folder, 0o777); err != nil {
			return "", fmt.Errorf("write %s: %w", key, err)
		}
		d.made.Store(folder, true)
	}
	return filepath.Join(folder, tempPrefix+randomName()), nil
}

func (d *dir) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		objects, err := d.list(ctx, prefix)
		for _, o := range objects {
			if !yield(o, nil) {
				return
			}
		}
		if err != nil {
			yield(Object{}, fmt.Errorf("list %q: %w", prefix, err))
		}
	}
}

func (d *dir) list(ctx context.Context, prefix string) ([]Object, error) {
	var objects []Object
	start := d.root
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		start = d.file(prefix[:i])
	}
	err := filepath.WalkDir(start, func(file string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed meanwhile
		}
		if err != nil {
			return err
		}
		if e.IsDir() || strings.HasPrefix(e.Name(), tempPrefix) {
			return ctx.Err()
		}
		rel, err := filepath.Rel(d.root, file)
		if err != nil {
			return err
		}
		key := filepath.ToSlash(rel)
		if !strings.HasPrefix(key, prefix) {
			return nil
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		objects = append(objects, Object{Key: key, Size: info.Size(), ModTime: info.ModTime()})
		return nil
	})
	sort.Slice(objects, func(i, j int) bool { return objects[i].Key < objects[j].Key })
	return objects, err
}

func (d *dir) Stat(_ context.Context, key string) (Object, error) {
	if err := checkKey(key); err != nil {
		return Object{}, err
	}
	info, err := os.Stat(d.file(key))
	if err != nil {
		return Object{}, err
	}
	return Object{Key: key, Size: info.Size(), ModTime: info.ModTime()}, nil
}

func (d *dir) Delete(_ context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if err := os.Remove(d.file(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (d *dir) Append(_ context.Context, key string) (Appender, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	if _, err := d.tempName(key); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(d.file(key), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return nil, err
	}
	return &dirLog{f: f}, nil
}

// dirLog appends to one file. O_APPEND and one write a record keep records
// whole; a reader drops a last one that a crash cut short.
type dirLog struct{ f *os.File }

func (l *dirLog) Write(record []byte) (int, error) { return l.f.Write(record) }
func (l *dirLog) Later(record []byte) error        { _, err := l.f.Write(record); return err }
func (l *dirLog) Sync() error                      { return l.f.Sync() }
func (l *dirLog) Close() error                     { return errors.Join(l.f.Sync(), l.f.Close()) }

func (d *dir) Logs(ctx context.Context, prefix string) iter.Seq2[Log, error] {
	return func(yield func(Log, error) bool) {
		for o, err := range d.List(ctx, prefix) {
			var data []byte
			if err == nil {
				data, err = d.Get(ctx, o.Key)
			}
			if !yield(Log{o.Key, data}, err) || err != nil {
				return
			}
		}
	}
}

func (d *dir) Tail(_ context.Context, key string, from int64) ([]byte, int64, error) {
	if err := checkKey(key); err != nil {
		return nil, from, err
	}
	f, err := os.Open(d.file(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, from, nil
	}
	if err != nil {
		return nil, from, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.NewSectionReader(f, from, math.MaxInt64-from))
	return data, from + int64(len(data)), err
}

// Lock holds an flock, which the system releases when the process dies.
func (d *dir) Lock(_ context.Context, key string) (Lock, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	if _, err := d.tempName(key); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(d.file(key), os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	if err := flock(f, key, unix.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return dirLock{f}, nil
}

func flock(f *os.File, key string, how int) error {
	err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = ErrLocked
	}
	if err != nil {
		return fmt.Errorf("lock %s: %w", key, err)
	}
	return nil
}

type dirLock struct{ f *os.File }

func (dirLock) Check(context.Context) error { return nil }
func (l dirLock) Unlock() error             { return l.f.Close() }

// Locked shares the lock for an instant.
func (d *dir) Locked(_ context.Context, key string) (bool, error) {
	f, err := os.Open(d.file(key))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	err = flock(f, key, unix.LOCK_SH)
	if errors.Is(err, ErrLocked) {
		return true, nil
	}
	return false, err
}
