// Package remote is what the protocols of object stores have in common: what a
// bucket asks of them, how long they are patient with a server, and how much
// they read of one. A Transport bounds every reply and follows the server's
// clock.
//
// It knows neither the URLs of a bucket nor what its keys mean.
package remote

import (
	"context"
	"io"
	"path"
	"time"
)

// Object describes an object of a bucket, or a folder of a listing.
type Object struct {
	Key     string
	Size    int64 // bytes
	ModTime time.Time
	Folder  bool   // Key ends in the delimiter; there is nothing else to say
	Writer  string // the number of its writer, if it was asked for with Stat
}

// Header is what an object is stored with.
type Header struct {
	Absent bool   // fail if there is such an object
	Writer string // the number of the writer, by which it recognizes its own object
}

// WriterKey is the metadata that holds the number of a writer.
const WriterKey = "fanout-writer"

// A Protocol asks one bucket. Keys are whole, with the prefix of the store.
// Requests are retried during faults, as long as Attempts and Pause say.
type Protocol interface {
	// Read opens an object from a byte on. size is that of the whole object,
	// negative if the server does not say. The caller closes body; a body that
	// breaks off is not retried.
	Read(ctx context.Context, key string, from int64) (body io.ReadCloser, size int64, err error)
	// Stat describes an object.
	Stat(ctx context.Context, key string) (Object, error)
	// Put writes a whole object.
	Put(ctx context.Context, key string, data []byte, h Header) error
	// Stream writes what r yields, for objects too large to hold. An error of r
	// is returned, and nothing is changed.
	Stream(ctx context.Context, key string, r io.Reader) error
	// Copy copies within the bucket.
	Copy(ctx context.Context, dst, src string) error
	// Delete removes an object. Of an absent one it may return an error.
	Delete(ctx context.Context, key string) error
	// Page lists objects in key order: those with a prefix, and what goes on
	// beyond the delimiter as one folder. next is the token of the next page,
	// or empty.
	Page(ctx context.Context, prefix, delimiter, token string) (page []Object, next string, err error)
	// Judge says what to do about an error of these methods, if that is known, and
	// what kind it is: fs.ErrNotExist, fs.ErrExist, fs.ErrPermission or nil.
	Judge(err error) (hint string, kind error)
}

// PageSize is how many objects a page has at most.
const PageSize = 1000

// ContentType lets people look at an object in a browser.
func ContentType(key string) string {
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
