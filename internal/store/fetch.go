package store

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"

	"github.com/fanout-dev/fanout/internal/store/internal/remote"
)

// A LargeError reports an object that is larger than what is read of a bucket.
type LargeError = remote.LargeError

// Fetch copies an object into a new file. An object of a directory or a bucket is
// never held whole.
func Fetch(ctx context.Context, st Store, key, file string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	return errors.Join(fetchInto(ctx, st, key, f), f.Close())
}

func fetchInto(ctx context.Context, st Store, key string, f *os.File) error {
	if large, can := st.(interface {
		fetch(ctx context.Context, key string, to sink) error
	}); can {
		return large.fetch(ctx, key, fileSink{f})
	}
	b, err := st.Get(ctx, key)
	if err == nil {
		_, err = f.Write(b)
	}
	return err
}

// A sink takes an object, from its beginning again after a reset.
type sink interface {
	io.Writer
	reset() error
}

type bufferSink struct{ bytes.Buffer }

func (s *bufferSink) reset() error { s.Reset(); return nil }

type fileSink struct{ *os.File }

func (s fileSink) reset() error {
	_, err := s.Seek(0, io.SeekStart)
	return errors.Join(err, s.Truncate(0))
}

func (d *dir) fetch(_ context.Context, key string, to sink) error {
	if err := checkKey(key); err != nil {
		return err
	}
	_, err := beneath(d, func(r *os.Root) (int64, error) {
		f, _, err := openFile(r, key, os.O_RDONLY)
		if err != nil {
			return 0, err
		}
		defer f.Close()
		return io.Copy(to, f)
	})
	return err
}

func (b *bucket) fetch(ctx context.Context, key string, to sink) error {
	if err := checkKey(key); err != nil {
		return err
	}
	return b.readTo(ctx, key, 0, to)
}
