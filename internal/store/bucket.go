package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/store/internal/process"
	"github.com/fanout-dev/fanout/internal/store/internal/remote"
)

// bucket keeps objects in a bucket of an object store. Its protocol retries during
// faults.
type bucket struct {
	remote remote.Protocol
	name   string // the URL
	prefix string // of every key: empty, or ending in a slash
	clock  *remote.Clock

	rewrites time.Duration // how far apart writes of one object have to be
	stalls   int           // how often a request is sent whose reply stalls
	breaks   int           // and one whose reply breaks off
	lease    leaseTimes
	self     process.Process
}

func newBucket(p remote.Protocol, name, prefix string, c *remote.Clock) *bucket {
	if prefix != "" {
		prefix += "/"
	}
	return &bucket{remote: p, name: name, prefix: prefix, clock: c, stalls: remote.Stalls, breaks: remote.Attempts, lease: defaultLease, self: process.This()}
}

func (b *bucket) String() string { return b.name }

// bucketError is an error that asks for something to be done.
type bucketError struct {
	error
	hint string
}

func (e *bucketError) Unwrap() error { return e.error }

// Hint says what to do.
func (e *bucketError) Hint() string { return e.hint }

// failed turns an error of the protocol into an error of this package.
func (b *bucket) failed(op, key string, err error) error {
	if err == nil {
		return nil
	}
	hint, kind := b.remote.Judge(err)
	switch {
	case kind == fs.ErrNotExist && hint == "":
		return missing(op, key)
	case kind == fs.ErrExist:
		return fmt.Errorf("%s %s: %w", op, key, fs.ErrExist)
	case kind == fs.ErrPermission:
		err = fmt.Errorf("%w: %w", fs.ErrPermission, err)
	}
	var givenUp *remote.GivenUpError
	if errors.As(err, &givenUp) {
		err = givenUp
	}
	err = fmt.Errorf("%s %s in %s: %w", op, key, b.name, err)
	if hint != "" {
		return &bucketError{err, hint}
	}
	return err
}

// kindOf is fs.ErrNotExist, fs.ErrExist, fs.ErrPermission or nil.
func (b *bucket) kindOf(err error) error {
	if err == nil {
		return nil
	}
	_, kind := b.remote.Judge(err)
	return kind
}

func (b *bucket) Get(ctx context.Context, key string) ([]byte, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	return b.read(ctx, key, 0)
}

// read returns an object from a byte on.
func (b *bucket) read(ctx context.Context, key string, from int64) ([]byte, error) {
	var got bufferSink
	if err := b.readTo(ctx, key, from, &got); err != nil {
		return nil, err
	}
	return got.Bytes(), nil
}

// readTo copies an object from a byte on. It retries replies that break off or
// stall, which the client does not.
func (b *bucket) readTo(ctx context.Context, key string, from int64, to sink) error {
	for try, stalls := 1, 0; ; try++ {
		if err := to.reset(); err != nil {
			return err
		}
		broke, err := b.readOnce(ctx, key, from, to)
		if err == nil {
			return nil
		}
		if errors.Is(err, remote.ErrStalled) {
			stalls++
		}
		if !broke || try == b.breaks || stalls == b.stalls || ctx.Err() != nil || errors.Is(err, remote.ErrEndless) {
			return b.failed("get", key, err)
		}
		remote.Wait(ctx, try)
	}
}

func (b *bucket) readOnce(ctx context.Context, key string, from int64, to io.Writer) (broke bool, err error) {
	body, size, err := b.remote.Read(ctx, b.prefix+key, from)
	if err != nil {
		return false, err
	}
	limit := most(ctx)
	if size-from > limit {
		return false, errors.Join(remote.TooLarge(size-from, limit), body.Close())
	}
	n, err := io.Copy(to, io.LimitReader(body, limit+1))
	if n > limit {
		return false, errors.Join(remote.TooLarge(n, limit), body.Close())
	}
	if err == nil && size >= 0 && n != size-from {
		err = io.ErrUnexpectedEOF
	}
	return true, errors.Join(err, body.Close())
}

func (b *bucket) Put(ctx context.Context, key string, data []byte, _ Durability) error {
	if err := checkKey(key); err != nil {
		return err
	}
	return b.failed("write", key, b.remote.Put(ctx, b.prefix+key, data, remote.Header{}))
}

func (b *bucket) Write(ctx context.Context, key string, write func(io.Writer) error, _ Durability) error {
	if err := checkKey(key); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, w := io.Pipe()
	sent := make(chan error, 1)
	go func() {
		err := b.remote.Stream(ctx, b.prefix+key, r)
		r.CloseWithError(err) // so that write does not wait for a reader
		sent <- err
	}()
	written := write(w)
	w.CloseWithError(written)
	if written != nil {
		cancel() // nothing is written
	}
	err := <-sent
	if written != nil && (err == nil || !errors.Is(written, err)) {
		return fmt.Errorf("write %s: %w", key, written)
	}
	return b.failed("write", key, err)
}

// Create recognizes its own object: if the reply to a request is lost, the protocol
// repeats the request, and the store refuses it because of the object that the first
// one wrote.
func (b *bucket) Create(ctx context.Context, key string, data []byte, _ Durability) error {
	if err := checkKey(key); err != nil {
		return err
	}
	writer := randomName()
	err := b.remote.Put(ctx, b.prefix+key, data, remote.Header{Absent: true, Writer: writer})
	if b.kindOf(err) != fs.ErrExist {
		return b.failed("write", key, err)
	}
	there, statErr := b.remote.Stat(ctx, b.prefix+key)
	if statErr != nil && b.kindOf(statErr) != fs.ErrNotExist {
		return b.failed("write", key, statErr)
	}
	if statErr == nil && there.Writer == writer {
		return nil
	}
	return b.failed("write", key, err)
}

func (b *bucket) Copy(ctx context.Context, dst, src string) error {
	if err := errors.Join(checkKey(dst), checkKey(src)); err != nil {
		return err
	}
	err := b.failed("copy", src, b.remote.Copy(ctx, b.prefix+dst, b.prefix+src))
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if o, statErr := b.Stat(ctx, src); statErr != nil || o.Size < maxCopy {
		return err
	}
	return b.copyThrough(ctx, dst, src)
}

// maxCopy is the size from which S3 refuses to copy an object by itself.
const maxCopy = 5_000_000_000

// copyThrough copies an object by reading and writing it.
func (b *bucket) copyThrough(ctx context.Context, dst, src string) error {
	r, _, err := b.remote.Read(ctx, b.prefix+src, 0)
	if err != nil {
		return b.failed("copy", src, err)
	}
	defer r.Close()
	return b.Write(ctx, dst, func(w io.Writer) error { _, err := io.Copy(w, r); return err }, Cached)
}

func (b *bucket) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return b.listed(ctx, prefix, "")
}

func (b *bucket) Level(ctx context.Context, folder string) iter.Seq2[Object, error] {
	if err := checkFolder(folder); err != nil {
		return func(yield func(Object, error) bool) { yield(Object{}, err) }
	}
	return b.listed(ctx, folder, "/")
}

// listed yields the objects with a prefix; with a delimiter those beyond it
// are one folder.
func (b *bucket) listed(ctx context.Context, prefix, delimiter string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		var watch remote.Listing
		for token, more := "", true; more; more = token != "" {
			var page []remote.Object
			err := watch.Page()
			if err == nil {
				page, token, err = b.page(ctx, prefix, delimiter, token)
			}
			for _, o := range page {
				if err = watch.Object(o.Key); err != nil {
					break
				}
				found, shown, wrong := b.listing(o, prefix)
				if err = wrong; err != nil {
					break
				}
				if shown && !yield(found, nil) {
					return
				}
			}
			if err != nil {
				yield(Object{}, b.failed("list", prefix, err))
				return
			}
		}
	}
}

// page asks again for a page that stalls.
func (b *bucket) page(ctx context.Context, prefix, delimiter, token string) (page []remote.Object, next string, err error) {
	for try := 1; ; try++ {
		page, next, err = b.remote.Page(ctx, b.prefix+prefix, delimiter, token)
		if try == b.stalls || !errors.Is(err, remote.ErrStalled) || ctx.Err() != nil {
			return page, next, err
		}
		remote.Wait(ctx, try)
	}
}

// listing is what is shown of an object in a listing. Some programs create objects
// that only show a folder, or whose keys are no paths: what a key such as "../x" leads
// to is in another place than the store. An error reports a server that lists what was
// not asked for.
func (b *bucket) listing(o remote.Object, prefix string) (found Object, shown bool, err error) {
	key, ours := strings.CutPrefix(o.Key, b.prefix)
	if !ours || !strings.HasPrefix(key, prefix) {
		return found, false, fmt.Errorf("the server lists %.200q, which does not begin with %q", o.Key, b.prefix+prefix)
	}
	found.Key = key
	if !o.Folder {
		found.Size, found.ModTime = max(o.Size, 0), seconds(o.ModTime)
		return found, checkKey(key) == nil, nil
	}
	return found, key != "" && checkFolder(key) == nil, nil
}

// seconds cuts a time to the precision that every kind of request has.
func seconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

func (b *bucket) Stat(ctx context.Context, key string) (Object, error) {
	if err := checkKey(key); err != nil {
		return Object{}, err
	}
	o, err := b.remote.Stat(ctx, b.prefix+key)
	if err != nil {
		return Object{}, b.failed("stat", key, err)
	}
	return Object{key, o.Size, seconds(o.ModTime)}, nil
}

func (b *bucket) Delete(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	err := b.failed("delete", key, b.remote.Delete(ctx, b.prefix+key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
