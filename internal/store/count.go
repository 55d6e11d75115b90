package store

import (
	"context"
	"io"
	"iter"
	"time"

	"github.com/fanout-dev/fanout/internal/store/internal/remote"
)

// A Request is what a store was asked for once, and how that went: of a directory, a
// call that reads or writes; of a bucket, a request to its server.
type Request = remote.Request

type countKey struct{}

// Counted makes Open return stores that call count, from any goroutine, with each
// request. Locks of directories are none.
func Counted(ctx context.Context, count func(Request)) context.Context {
	return context.WithValue(ctx, countKey{}, count)
}

// counted is a directory whose requests are counted.
type counted struct {
	Store
	count func(Request)
}

func (c counted) done(operation string, began time.Time, sent, got int) {
	c.count(Request{Operation: operation, Took: time.Since(began), Sent: int64(sent), Got: int64(got)})
}

func (c counted) Get(ctx context.Context, key string) (data []byte, err error) {
	defer func(began time.Time) { c.done("get", began, 0, len(data)) }(time.Now())
	return c.Store.Get(ctx, key)
}

func (c counted) fetch(ctx context.Context, key string, to sink) error {
	defer c.done("get", time.Now(), 0, 0)
	return c.Store.(*dir).fetch(ctx, key, to)
}

func (c counted) Tail(ctx context.Context, key string, from int64) (data []byte, next int64, err error) {
	defer func(began time.Time) { c.done("get", began, 0, len(data)) }(time.Now())
	return c.Store.Tail(ctx, key, from)
}

func (c counted) Put(ctx context.Context, key string, data []byte, d Durability) error {
	defer c.done("put", time.Now(), len(data), 0)
	return c.Store.Put(ctx, key, data, d)
}

func (c counted) Create(ctx context.Context, key string, data []byte, d Durability) error {
	defer c.done("put", time.Now(), len(data), 0)
	return c.Store.Create(ctx, key, data, d)
}

func (c counted) Write(ctx context.Context, key string, write func(io.Writer) error, d Durability) error {
	var n size
	defer func(began time.Time) { c.done("put", began, int(n), 0) }(time.Now())
	return c.Store.Write(ctx, key, func(w io.Writer) error { return write(io.MultiWriter(w, &n)) }, d)
}

// size counts bytes.
type size int

func (s *size) Write(p []byte) (int, error) {
	*s += size(len(p))
	return len(p), nil
}

func (c counted) Copy(ctx context.Context, dst, src string) error {
	defer c.done("copy", time.Now(), 0, 0)
	return c.Store.Copy(ctx, dst, src)
}

func (c counted) Delete(ctx context.Context, key string) error {
	defer c.done("delete", time.Now(), 0, 0)
	return c.Store.Delete(ctx, key)
}

func (c counted) Stat(ctx context.Context, key string) (Object, error) {
	defer c.done("stat", time.Now(), 0, 0)
	return c.Store.Stat(ctx, key)
}

func (c counted) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return listed(c, c.Store.List(ctx, prefix))
}

func (c counted) Level(ctx context.Context, folder string) iter.Seq2[Object, error] {
	return listed(c, c.Store.Level(ctx, folder))
}

func (c counted) Logs(ctx context.Context, prefix string) iter.Seq2[Log, error] {
	return listed(c, c.Store.Logs(ctx, prefix))
}

// listed counts a listing when it is read; what the reader does meanwhile is part of
// the time that it takes.
func listed[T any](c counted, all iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		defer c.done("list", time.Now(), 0, 0)
		all(yield)
	}
}

func (c counted) Append(ctx context.Context, key string) (Appender, error) {
	a, err := c.Store.Append(ctx, key)
	if err != nil {
		return nil, err
	}
	return countedLog{a, c}, nil
}

type countedLog struct {
	Appender
	c counted
}

func (l countedLog) Write(record []byte) (int, error) {
	defer l.c.done("append", time.Now(), len(record), 0)
	return l.Appender.Write(record)
}

func (l countedLog) Later(record []byte) error {
	defer l.c.done("append", time.Now(), len(record), 0)
	return l.Appender.Later(record)
}
