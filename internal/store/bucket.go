package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path"
	"strings"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

// bucket keeps objects in a bucket of an object store. Its client retries during
// faults; see patient.
type bucket struct {
	blobs  *blob.Bucket
	name   string // the URL
	prefix string // of every key: empty, or ending in a slash
	clock  *clock
	hint   func(error) string

	rewrites time.Duration // how far apart writes of one object have to be
	lease    leaseTimes
	self     process
}

func newBucket(b *blob.Bucket, name, prefix string, c *clock, hint func(error) string) *bucket {
	if prefix != "" {
		prefix += "/"
	}
	return &bucket{blobs: b, name: name, prefix: prefix, clock: c, hint: hint, lease: defaultLease, self: thisProcess()}
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

// failed turns an error of the client into an error of this package.
func (b *bucket) failed(op, key string, err error) error {
	if err == nil {
		return nil
	}
	hint := b.hint(err)
	switch gcerrors.Code(err) {
	case gcerrors.NotFound:
		if hint == "" {
			return missing(op, key)
		}
	case gcerrors.FailedPrecondition:
		return fmt.Errorf("%s %s: %w", op, key, fs.ErrExist)
	case gcerrors.PermissionDenied:
		err = fmt.Errorf("%w: %w", fs.ErrPermission, err)
	}
	err = fmt.Errorf("%s %s in %s: %w", op, key, b.name, err)
	if hint != "" {
		return &bucketError{err, hint}
	}
	return err
}

func (b *bucket) Get(ctx context.Context, key string) ([]byte, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	return b.read(ctx, key, 0)
}

// read returns an object from a byte on. It retries replies that break off, which
// the client does not.
func (b *bucket) read(ctx context.Context, key string, from int64) ([]byte, error) {
	var got bytes.Buffer
	for try := 1; ; try++ {
		got.Reset()
		broke, err := b.readOnce(ctx, key, from, &got)
		if err == nil {
			return got.Bytes(), nil
		}
		if !broke || try == attempts || ctx.Err() != nil || errors.Is(err, errEndless) {
			return nil, b.failed("get", key, err)
		}
		select {
		case <-time.After(pause(try)):
		case <-ctx.Done():
		}
	}
}

func (b *bucket) readOnce(ctx context.Context, key string, from int64, to io.Writer) (broke bool, err error) {
	r, err := b.blobs.NewRangeReader(ctx, b.prefix+key, from, -1, nil)
	if err != nil {
		return false, err
	}
	if size := r.Size() - from; size > maxObject {
		return false, errors.Join(tooLarge(size), r.Close())
	}
	n, err := io.Copy(to, r)
	if err == nil && n != r.Size()-from {
		err = io.ErrUnexpectedEOF
	}
	return true, errors.Join(err, r.Close())
}

func (b *bucket) Put(ctx context.Context, key string, data []byte, _ Durability) error {
	if err := checkKey(key); err != nil {
		return err
	}
	return b.failed("write", key, b.upload(ctx, key, data, blob.WriterOptions{}))
}

func (b *bucket) upload(ctx context.Context, key string, data []byte, o blob.WriterOptions) error {
	o.ContentType = contentType(key)
	return b.blobs.Upload(ctx, b.prefix+key, bytes.NewReader(data), &o)
}

// contentType lets people look at objects in a browser.
func contentType(key string) string {
	switch path.Ext(key) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".md", ".yaml", ".log", ".jsonl":
		return "text/plain; charset=utf-8"
	case ".json", ".ipynb":
		return "application/json"
	}
	return "application/octet-stream"
}

func (b *bucket) Write(ctx context.Context, key string, write func(io.Writer) error, _ Durability) error {
	if err := checkKey(key); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := b.blobs.NewWriter(ctx, b.prefix+key, &blob.WriterOptions{ContentType: contentType(key)})
	if err != nil {
		return b.failed("write", key, err)
	}
	if err := write(w); err != nil {
		cancel() // nothing is written
		w.Close()
		return fmt.Errorf("write %s: %w", key, err)
	}
	return b.failed("write", key, w.Close())
}

// writerKey is the metadata by which a writer recognizes its own object: if the
// reply to a request is lost, the client repeats the request, and the store refuses
// it because of the object that the first one wrote.
const writerKey = "fanout-writer"

func (b *bucket) Create(ctx context.Context, key string, data []byte, _ Durability) error {
	if err := checkKey(key); err != nil {
		return err
	}
	writer := randomName()
	err := b.upload(ctx, key, data, blob.WriterOptions{IfNotExist: true, Metadata: map[string]string{writerKey: writer}})
	if gcerrors.Code(err) != gcerrors.FailedPrecondition {
		return b.failed("write", key, err)
	}
	a, statErr := b.blobs.Attributes(ctx, b.prefix+key)
	if statErr != nil && gcerrors.Code(statErr) != gcerrors.NotFound {
		return b.failed("write", key, statErr)
	}
	if statErr == nil && a.Metadata[writerKey] == writer {
		return nil
	}
	return b.failed("write", key, err)
}

func (b *bucket) Copy(ctx context.Context, dst, src string) error {
	if err := errors.Join(checkKey(dst), checkKey(src)); err != nil {
		return err
	}
	err := b.failed("copy", src, b.blobs.Copy(ctx, b.prefix+dst, b.prefix+src, nil))
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
	r, err := b.blobs.NewReader(ctx, b.prefix+src, nil)
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
		watch := listing{begun: map[string]bool{}}
		it := b.blobs.List(&blob.ListOptions{Prefix: b.prefix + prefix, Delimiter: delimiter, BeforeList: func(func(any) bool) error { return watch.page() }})
		for {
			o, err := it.Next(ctx)
			if err == io.EOF {
				return
			}
			if err == nil {
				err = watch.object(o.Key)
			}
			if err != nil {
				yield(Object{}, b.failed("list", prefix, err))
				return
			}
			key := strings.TrimPrefix(o.Key, b.prefix)
			if strings.HasSuffix(key, "/") && !o.IsDir {
				continue // some programs create it to show a folder
			}
			found := Object{Key: key}
			if !o.IsDir {
				found.Size, found.ModTime = o.Size, seconds(o.ModTime)
			}
			if !yield(found, nil) {
				return
			}
		}
	}
}

// seconds cuts a time to the precision that every kind of request has.
func seconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

func (b *bucket) Stat(ctx context.Context, key string) (Object, error) {
	if err := checkKey(key); err != nil {
		return Object{}, err
	}
	a, err := b.blobs.Attributes(ctx, b.prefix+key)
	if err != nil {
		return Object{}, b.failed("stat", key, err)
	}
	return Object{key, a.Size, seconds(a.ModTime)}, nil
}

func (b *bucket) Delete(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	err := b.failed("delete", key, b.blobs.Delete(ctx, b.prefix+key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
