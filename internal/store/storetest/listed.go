package storetest

import (
	"bytes"
	"io"
	"strings"
	"sync"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// listed is objects in memory. A listing goes to its prefix, and over each common prefix,
// where s3mem alone would look at every key of the bucket; the answers are the same.
type listed struct {
	*s3mem.Backend
	writing *sync.RWMutex // a listing takes several steps, and is of one moment
	step    int64         // in keys
}

func inMemory(step int64, options ...s3mem.Option) listed {
	return listed{s3mem.New(options...), &sync.RWMutex{}, step}
}

// beyond ends a marker behind all keys that begin as it does: keys are UTF-8, and have no such byte.
const beyond = "\xff"

// before is a marker behind which the keys with the prefix begin.
func before(prefix string) string {
	if prefix == "" {
		return ""
	}
	rest, last := prefix[:len(prefix)-1], prefix[len(prefix)-1]
	if last == 0 {
		return rest
	}
	return rest + string([]byte{last - 1}) + beyond
}

func (b listed) ListBucket(bucket string, prefix *gofakes3.Prefix, page gofakes3.ListBucketPage) (*gofakes3.ObjectList, error) {
	b.writing.RLock()
	defer b.writing.RUnlock()
	if prefix == nil {
		prefix = &gofakes3.Prefix{}
	}
	if b.odd(bucket, prefix) {
		return b.Backend.ListBucket(bucket, prefix, page)
	}
	list, at := gofakes3.NewObjectList(), max(page.Marker, before(prefix.Prefix))
	for more := true; more; {
		some, err := b.Backend.ListBucket(bucket, nil, gofakes3.ListBucketPage{Marker: at, HasMarker: at != "", MaxKeys: b.step})
		if err != nil {
			return nil, err
		}
		more = some.IsTruncated
		for i, c := range some.Contents {
			var match gofakes3.PrefixMatch
			switch {
			case !prefix.Match(c.Key, &match):
				return list, nil
			case match.CommonPrefix:
				list.AddPrefix(match.MatchedPart)
				at = match.MatchedPart + beyond
			default:
				list.Add(c)
				at = c.Key
			}
			if int64(len(list.Contents)+len(list.CommonPrefixes)) == page.MaxKeys {
				list.NextMarker, list.IsTruncated = c.Key, more || i < len(some.Contents)-1
				return list, nil
			}
		}
	}
	return list, nil
}

// odd reports what s3mem has rules of its own for, by which keys with a prefix are not
// neighbours: it takes delimiters off the beginnings of keys and prefixes.
func (b listed) odd(bucket string, prefix *gofakes3.Prefix) bool {
	if !prefix.HasDelimiter {
		return !prefix.HasPrefix && prefix.Prefix != ""
	}
	if len(prefix.Delimiter) != 1 || strings.HasPrefix(prefix.Prefix, prefix.Delimiter) {
		return true
	}
	first, err := b.Backend.ListBucket(bucket, nil, gofakes3.ListBucketPage{Marker: before(prefix.Delimiter), HasMarker: true, MaxKeys: 1})
	return err != nil || len(first.Contents) > 0 && strings.HasPrefix(first.Contents[0].Key, prefix.Delimiter)
}

func (b listed) PutObject(bucket, key string, meta map[string]string, input io.Reader, size int64, conditions *gofakes3.PutConditions) (gofakes3.PutObjectResult, error) {
	text, err := gofakes3.ReadAll(input, size) // before the lock: a client may be slow
	if err != nil {
		return gofakes3.PutObjectResult{}, err
	}
	b.writing.Lock()
	defer b.writing.Unlock()
	return b.Backend.PutObject(bucket, key, meta, bytes.NewReader(text), size, conditions)
}

func (b listed) CopyObject(fromBucket, from, toBucket, to string, meta map[string]string) (gofakes3.CopyObjectResult, error) {
	b.writing.Lock()
	defer b.writing.Unlock()
	return b.Backend.CopyObject(fromBucket, from, toBucket, to, meta)
}

func (b listed) DeleteObject(bucket, key string) (gofakes3.ObjectDeleteResult, error) {
	b.writing.Lock()
	defer b.writing.Unlock()
	return b.Backend.DeleteObject(bucket, key)
}

func (b listed) DeleteMulti(bucket string, keys ...string) (gofakes3.MultiDeleteResult, error) {
	b.writing.Lock()
	defer b.writing.Unlock()
	return b.Backend.DeleteMulti(bucket, keys...)
}
