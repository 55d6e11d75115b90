package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/store/internal/gcs"
	"github.com/fanout-dev/fanout/internal/store/internal/remote"
	"github.com/fanout-dev/fanout/internal/store/internal/s3"
)

// IsURL reports whether where names a bucket rather than a directory.
func IsURL(where string) bool { return strings.Contains(where, "://") }

// Absolute is where, so that it means the same in any folder.
func Absolute(where string) (string, error) {
	if IsURL(where) {
		return where, nil
	}
	return filepath.Abs(where)
}

// Join names an object, or what lies beneath a key, of the store at where for
// people: a path, or a URL without its parameters.
func Join(where, key string) string {
	if !IsURL(where) {
		return filepath.Join(where, filepath.FromSlash(key))
	}
	where, _, _ = strings.Cut(where, "?")
	return strings.TrimSuffix(where, "/") + "/" + key
}

// Whole is the place of one object of the store at where, which Split divides.
func Whole(where, key string) string {
	_, parameters, has := strings.Cut(where, "?")
	if !IsURL(where) || !has {
		return Join(where, key)
	}
	return Join(where, key) + "?" + parameters
}

// Split divides the place of one object into that of its store and its key.
func Split(name string) (where, key string) {
	if !IsURL(name) {
		return filepath.Dir(name), filepath.Base(name)
	}
	name, parameters, has := strings.Cut(name, "?")
	i := strings.LastIndexByte(name, '/')
	where, key = name[:i], name[i+1:]
	if has {
		where += "?" + parameters
	}
	return where, key
}

// placeError reports a place that names no store.
type placeError struct {
	where string
	err   error
}

func (e *placeError) Error() string { return fmt.Sprintf("store %s: %v", e.where, e.err) }
func (e *placeError) Unwrap() error { return e.err }

// Hint says what a place looks like.
func (e *placeError) Hint() string {
	return "name a directory, 's3://BUCKET/PREFIX?region=REGION&endpoint=URL' or gs://BUCKET/PREFIX"
}

// IsPlaceError reports whether err says that a place names no store: a mistake
// in what was typed.
func IsPlaceError(err error) bool {
	var e *placeError
	return errors.As(err, &e)
}

// Open returns the store at where: a directory, s3://bucket/prefix or
// gs://bucket/prefix. It asks no server anything.
func Open(ctx context.Context, where string) (Store, error) {
	count, _ := ctx.Value(countKey{}).(func(Request))
	if !IsURL(where) && count != nil {
		return counted{Dir(where), count}, nil
	}
	if !IsURL(where) {
		return Dir(where), nil
	}
	u, err := url.Parse(where)
	if err != nil {
		return nil, &placeError{where, errors.Unwrap(err)}
	}
	if u.User != nil {
		return nil, &placeError{u.Redacted(), errors.New("credentials do not belong in a URL: it is recorded")}
	}
	if u.Scheme != "s3" && u.Scheme != "gs" {
		return nil, &placeError{where, fmt.Errorf("unknown kind of store %q", u.Scheme)}
	}
	prefix := strings.Trim(u.Path, "/")
	if u.Host == "" || u.Fragment != "" || prefix != "" && checkKey(prefix) != nil {
		return nil, &placeError{where, errors.New("it has no bucket, or an invalid prefix")}
	}
	return openBucket(ctx, u, prefix)
}

func openBucket(ctx context.Context, u *url.URL, prefix string) (Store, error) {
	clock, health := &remote.Clock{}, healthOf(ctx, u)
	if u.Scheme == "gs" {
		if err := checkParameters(u); err != nil {
			return nil, err
		}
		p, err := gcs.Open(ctx, u.Host, clock, health)
		if err != nil {
			return nil, &bucketError{fmt.Errorf("open %s: %w", u, err), gcs.NoCredentials}
		}
		b := newBucket(p, u.String(), prefix, clock)
		b.rewrites = gcs.Rewrites
		b.hurry(health)
		return b, nil
	}
	if err := checkParameters(u, s3.Parameters...); err != nil {
		return nil, err
	}
	p, err := s3.Open(ctx, u, clock, health)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", u, err)
	}
	b := newBucket(p, u.String(), prefix, clock)
	b.hurry(health)
	return b, nil
}

// A Wait is how long buckets that do not answer are waited for.
type Wait struct {
	Limit time.Duration
	Tell  func(where string) // called once one has not answered for five seconds; may be nil
}

// Patience is how long buckets are waited for of which nothing else is said.
const Patience = remote.Patience

type waitKey struct{}

// Within makes Open return buckets that are waited for so long. Others have Patience,
// and nobody is told.
func Within(ctx context.Context, w Wait) context.Context { return context.WithValue(ctx, waitKey{}, w) }

// healthOf is what the context says of waiting for a bucket.
func healthOf(ctx context.Context, u *url.URL) *remote.Health {
	w, _ := ctx.Value(waitKey{}).(Wait)
	h := &remote.Health{Limit: w.Limit}
	h.Count, _ = ctx.Value(countKey{}).(func(Request))
	if w.Tell != nil {
		h.Tell = func() { w.Tell(u.String()) }
	}
	return h
}

// hurry makes requests end soon whose replies stall or break off, if somebody waits:
// a reply stalls for a minute, and eight that break off take twenty seconds.
func (b *bucket) hurry(h *remote.Health) {
	if h.Limit > 0 && h.Limit < remote.Patience {
		b.stalls, b.breaks = 1, 8
	}
}

// checkParameters refuses unknown and repeated parameters of a URL.
func checkParameters(u *url.URL, known ...string) error {
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return &placeError{u.String(), err}
	}
	for name, values := range q {
		if !slices.Contains(known, name) || len(values) != 1 {
			return &placeError{u.Scheme + "://" + u.Host + u.Path, fmt.Errorf("its parameter %q is not one of %s", name, strings.Join(known, ", "))}
		}
	}
	return nil
}
