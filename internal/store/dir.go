package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"syscall"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/fanout-dev/fanout/internal/store/internal/remote"
	"github.com/fanout-dev/fanout/internal/store/internal/walk"
)

// tempPrefix marks files that are being written. List never yields them.
const tempPrefix = ".writing-"

// dir reads and writes nothing outside its folder, whatever links somebody has
// put into it: every path is resolved beneath the opened folder.
type dir struct {
	root string
	made sync.Map // folders known to exist, relative to root

	mu     sync.Mutex
	opened *os.Root // nil until it is needed
}

// Dir returns the store that keeps its objects as files beneath root. root
// itself is created with the first write. It may be a link; a link in it that
// leads out of it is an error to read or write.
func Dir(root string) Store { return &dir{root: root} }

func (d *dir) String() string { return d.root }

// open returns the opened folder.
func (d *dir) open() (*os.Root, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.opened == nil {
		r, err := os.OpenRoot(d.root)
		if err != nil {
			return nil, err
		}
		d.opened = r
	}
	return d.opened, nil
}

// reopen reports whether r is no longer the folder at root: somebody removed it,
// and may have created it again. The next open looks for that one.
func (d *dir) reopen(r *os.Root) bool {
	now, err := os.Stat(d.root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if was, gone := r.Stat("."); err == nil && gone == nil && os.SameFile(was, now) {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.opened == r {
		d.opened = nil // its users close it with the last reference
		d.made.Clear()
	}
	return true
}

// beneath calls do with the opened folder.
func beneath[T any](d *dir, do func(*os.Root) (T, error)) (got T, err error) {
	for {
		r, err := d.open()
		if err != nil {
			return got, err
		}
		if got, err = do(r); !errors.Is(err, fs.ErrNotExist) || !d.reopen(r) {
			return got, err
		}
	}
}

// openFile opens an object that exists, or may be created. Only regular files
// are objects: to open a pipe would wait for ever, and a device is not ours.
func openFile(r *os.Root, key string, flag int) (*os.File, fs.FileInfo, error) {
	f, err := r.OpenFile(filepath.FromSlash(key), flag|unix.O_NONBLOCK|unix.O_NOCTTY, 0o666)
	if err != nil {
		return nil, nil, irregular(r, key, err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: f.Name(), Err: ErrIrregular}
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// ErrIrregular reports what lies in the place of an object of a directory: a pipe, a
// device, a folder, or a link that leads out.
var ErrIrregular = errors.New("not a regular file")

// irregular says of an error whether that is its cause.
func irregular(r *os.Root, key string, err error) error {
	info, there := r.Lstat(filepath.FromSlash(key))
	if there != nil || info.Mode().IsRegular() || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrIrregular, err)
}

func (d *dir) Get(ctx context.Context, key string) ([]byte, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	return d.read(key, 0, most(ctx))
}

// read returns an object from a byte on, of limit bytes at most.
func (d *dir) read(key string, from, limit int64) ([]byte, error) {
	return beneath(d, func(r *os.Root) ([]byte, error) {
		f, info, err := openFile(r, key, os.O_RDONLY)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		size := max(info.Size()-from, 0)
		if size > limit {
			return nil, fmt.Errorf("read %s: %w", key, remote.TooLarge(size, limit))
		}
		b := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
		_, err = b.ReadFrom(io.NewSectionReader(f, from, math.MaxInt64-from))
		return b.Bytes(), err
	})
}

func (d *dir) Put(_ context.Context, key string, data []byte, dur Durability) error {
	return d.Write(context.Background(), key, content(data), dur)
}

func (d *dir) Write(_ context.Context, key string, write func(io.Writer) error, dur Durability) error {
	return d.write(key, write, dur, (*os.Root).Rename)
}

// content writes bytes that are there already.
func content(data []byte) func(io.Writer) error {
	return func(w io.Writer) error { _, err := w.Write(data); return err }
}

func (d *dir) Create(_ context.Context, key string, data []byte, dur Durability) error {
	return d.write(key, content(data), dur, func(r *os.Root, temp, file string) error {
		if err := r.Link(temp, file); err != nil {
			return err
		}
		return r.Remove(temp)
	})
}

func (d *dir) Copy(_ context.Context, dst, src string) error {
	if err := errors.Join(checkKey(dst), checkKey(src)); err != nil {
		return err
	}
	file := filepath.FromSlash(dst)
	return d.inFolder(file, func(r *os.Root, temp string) error {
		defer r.Remove(temp) // Rename does nothing when both names are links to one file already
		if err := r.Link(filepath.FromSlash(src), temp); err != nil {
			return err
		}
		return named((*os.Root).Rename, r, temp, file)
	})
}

// write fills a temporary file beside key and lets place give it its name.
func (d *dir) write(key string, fill func(io.Writer) error, dur Durability, place func(r *os.Root, temp, file string) error) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if err := d.writeFile(filepath.FromSlash(key), fill, dur, place); err != nil {
		return fmt.Errorf("write %s: %w", key, cause(err))
	}
	return nil
}

func (d *dir) writeFile(file string, fill func(io.Writer) error, dur Durability, place func(r *os.Root, temp, file string) error) (err error) {
	r, f, temp, err := d.openTemp(file)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			r.Remove(temp)
		}
	}()
	if err := fillFile(f, fill, dur); err != nil {
		return err
	}
	if err := named(place, r, temp, file); err != nil {
		return err
	}
	if dur == Synced {
		return syncDir(r, filepath.Dir(file))
	}
	return nil
}

// named lets place give a temporary file its name, also where folders without a
// file in them have that name.
func named(place func(r *os.Root, temp, file string) error, r *os.Root, temp, file string) error {
	err := place(r, temp, file)
	if err != nil && removeFolders(r, file) {
		err = place(r, temp, file)
	}
	return err
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

// openTemp creates a temporary file beside a file.
func (d *dir) openTemp(file string) (r *os.Root, f *os.File, temp string, err error) {
	err = d.inFolder(file, func(opened *os.Root, fresh string) (err error) {
		r, temp = opened, fresh
		f, err = r.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		return err
	})
	return r, f, temp, err
}

// inFolder calls do with the folder of a file made, and a fresh name in it, and
// once more when that folder, or all, has been removed since it was made: derived
// files may be deleted at any time.
func (d *dir) inFolder(file string, do func(r *os.Root, fresh string) error) error {
	for range 2 {
		r, err := d.make()
		if err != nil {
			return err
		}
		fresh, err := d.tempName(r, file)
		if err == nil {
			err = do(r, fresh)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		d.made.Delete(filepath.Dir(file))
		d.reopen(r)
	}
	return fs.ErrNotExist
}

// removeFolders removes the folder with the name of a file, if nothing is in it but
// folders: what is left of objects whose keys began with that name.
func removeFolders(r *os.Root, file string) bool {
	if info, err := r.Lstat(file); err != nil || !info.IsDir() {
		return false
	}
	var folders []string
	err := fs.WalkDir(r.FS(), filepath.ToSlash(file), func(name string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			err = fs.ErrExist
		}
		folders = append(folders, filepath.FromSlash(name))
		return err
	})
	for _, f := range slices.Backward(folders) {
		if err == nil {
			err = r.Remove(f)
		}
	}
	return err == nil
}

// make is open, for writers: it creates the folder.
func (d *dir) make() (*os.Root, error) {
	r, err := d.open()
	if !errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	if err := os.MkdirAll(d.root, 0o777); err != nil {
		return nil, err
	}
	return d.open()
}

func fillFile(f *os.File, fill func(io.Writer) error, dur Durability) error {
	err := fill(f)
	if err == nil && dur == Synced {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func syncDir(r *os.Root, name string) error {
	f, err := r.Open(name)
	if err != nil {
		return err
	}
	err = f.Sync()
	if errors.Is(err, unix.EINVAL) { // some file systems cannot sync a folder
		err = nil
	}
	return errors.Join(err, f.Close())
}

// tempName makes the folder of a file and returns a fresh name in it.
func (d *dir) tempName(r *os.Root, file string) (string, error) {
	folder := filepath.Dir(file)
	if _, ok := d.made.Load(folder); !ok {
		if err := r.MkdirAll(folder, 0o777); err != nil {
			return "", err
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
	start := "."
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		start = prefix[:i]
		if err := checkKey(start); err != nil {
			return nil, err
		}
	}
	r, err := d.open()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if d.reopen(r) {
		return d.list(ctx, prefix)
	}
	var objects []Object
	err = walk.Files(ctx, r, start, func(f walk.File) {
		if !strings.HasPrefix(path.Base(f.Key), tempPrefix) && strings.HasPrefix(f.Key, prefix) {
			objects = append(objects, Object{Key: f.Key, Size: f.Size, ModTime: f.ModTime})
		}
	})
	sort.Slice(objects, func(i, j int) bool { return objects[i].Key < objects[j].Key })
	return objects, err
}

func (d *dir) Level(ctx context.Context, folder string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		err := checkFolder(folder)
		var objects iter.Seq[Object]
		if err == nil {
			objects, err = beneath(d, func(r *os.Root) (iter.Seq[Object], error) { return level(ctx, r, folder) })
		}
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				yield(Object{}, fmt.Errorf("list %q: %w", folder, err))
			}
			return
		}
		for o := range objects {
			if !yield(o, nil) {
				return
			}
		}
	}
}

// level reads the names in a folder, and looks at a file when it is its turn.
// A link counts as what it leads to, unless that is outside the store.
func level(ctx context.Context, r *os.Root, folder string) (iter.Seq[Object], error) {
	// A pipe in the place of a folder would be opened only once somebody writes to it.
	f, err := r.OpenFile(filepath.FromSlash(path.Join(".", folder)), os.O_RDONLY|unix.O_NONBLOCK|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	// A folder sorts by its key, which ends in "/".
	key := func(e fs.DirEntry) string {
		if e.IsDir() {
			return e.Name() + "/"
		}
		return e.Name()
	}
	sort.SliceStable(entries, func(i, j int) bool { return key(entries[i]) < key(entries[j]) })
	return func(yield func(Object) bool) {
		for _, e := range entries {
			if ctx.Err() != nil {
				return
			}
			o, ok := entry(r, folder, e)
			if ok && !yield(o) {
				return
			}
		}
	}, nil
}

// entry describes an entry of a folder; ok is false for what is no object.
func entry(r *os.Root, folder string, e fs.DirEntry) (o Object, ok bool) {
	name := folder + e.Name()
	if !utf8.ValidString(name) || strings.HasPrefix(e.Name(), tempPrefix) {
		return o, false
	}
	if e.IsDir() {
		return Object{Key: name + "/"}, true
	}
	info, err := r.Stat(filepath.FromSlash(name))
	switch {
	case err != nil:
		return o, false
	case info.IsDir():
		return Object{Key: name + "/"}, true
	}
	return Object{Key: name, Size: info.Size(), ModTime: info.ModTime()}, info.Mode().IsRegular()
}

func (d *dir) Stat(_ context.Context, key string) (Object, error) {
	if err := checkKey(key); err != nil {
		return Object{}, err
	}
	info, err := beneath(d, func(r *os.Root) (fs.FileInfo, error) {
		info, err := r.Stat(filepath.FromSlash(key))
		if err != nil {
			err = irregular(r, key, err)
		}
		return info, err
	})
	if err == nil && info.IsDir() {
		err = &fs.PathError{Op: "stat", Path: key, Err: fs.ErrNotExist} // a folder is no object
	}
	if err != nil {
		return Object{}, err
	}
	return Object{Key: key, Size: info.Size(), ModTime: info.ModTime()}, nil
}

func (d *dir) Delete(_ context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	_, err := beneath(d, func(r *os.Root) (none struct{}, err error) { return none, r.Remove(filepath.FromSlash(key)) })
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (d *dir) Append(_ context.Context, key string) (Appender, error) {
	f, info, err := d.openForWriting(key, os.O_WRONLY|os.O_APPEND)
	if err != nil {
		return nil, err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Nlink > 1 {
		return nil, errors.Join(fmt.Errorf("append to %s: the file has other names, of which this would change the content", key), f.Close())
	}
	return &dirLog{f: f}, nil
}

// openForWriting opens an object that is written in place, creating it and its
// folder if need be.
func (d *dir) openForWriting(key string, flag int) (f *os.File, info fs.FileInfo, err error) {
	if err := checkKey(key); err != nil {
		return nil, nil, err
	}
	err = d.inFolder(filepath.FromSlash(key), func(r *os.Root, _ string) (err error) {
		f, info, err = openFile(r, key, flag|os.O_CREATE)
		return err
	})
	return f, info, err
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
			more := false
			if err == nil {
				err = d.pieces(ctx, o.Key, func(piece []byte) bool { more = yield(Log{o.Key, piece}, nil); return more })
			}
			if err != nil {
				yield(Log{Key: o.Key}, err)
				return
			}
			if !more {
				return
			}
		}
	}
}

// logPiece is how much of a log is read at once: many sweeps have thousands of small ones.
const logPiece = 128 << 10

// pieces reads an object in pieces, at least one, which share their memory.
func (d *dir) pieces(ctx context.Context, key string, do func(piece []byte) bool) error {
	f, err := beneath(d, func(r *os.Root) (*os.File, error) {
		f, info, err := openFile(r, key, os.O_RDONLY)
		if err == nil && info.Size() > most(ctx) {
			err = errors.Join(fmt.Errorf("read %s: %w", key, remote.TooLarge(info.Size(), most(ctx))), f.Close())
		}
		return f, err
	})
	if err != nil {
		return err
	}
	defer f.Close()
	b := make([]byte, logPiece)
	for first := true; ; first = false {
		n, err := io.ReadFull(f, b)
		end := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !end {
			return err
		}
		if (n > 0 || first) && !do(b[:n]) || end {
			return nil
		}
	}
}

func (d *dir) Tail(_ context.Context, key string, from int64) ([]byte, int64, error) {
	if err := checkKey(key); err != nil {
		return nil, from, err
	}
	data, err := d.read(key, from, remote.MaxObject)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, from, nil
	}
	return data, from + int64(len(data)), err
}

// Lock holds an flock, which the system releases when the process dies.
func (d *dir) Lock(_ context.Context, key string) (Lock, error) {
	f, _, err := d.openForWriting(key, os.O_RDWR)
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
	f, err := beneath(d, func(r *os.Root) (*os.File, error) { f, _, err := openFile(r, key, os.O_RDONLY); return f, err })
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
