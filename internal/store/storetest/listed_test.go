package storetest

import (
	"crypto/md5"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"pgregory.net/rapid"
)

// Whatever is written and deleted, on whatever conditions, a listing is that of s3mem.
func TestListedAsByS3mem(t *testing.T) {
	text := func(longest int) *rapid.Generator[string] {
		parts := rapid.SampledFrom([]string{"/", "/", "a", "a", "b", ".", "0", "\x00", "\x01", "é", "\U0010ffff"})
		return rapid.Map(rapid.SliceOfN(parts, 0, longest), func(s []string) string { return strings.Join(s, "") })
	}
	rapid.Check(t, func(t *rapid.T) {
		clock := s3mem.WithTimeSource(gofakes3.FixedTimeSource(time.Unix(1e9, 0)))
		alone, ours := s3mem.New(clock), inMemory(rapid.Int64Range(1, 5).Draw(t, "step"), clock)
		key := text(6).Filter(func(s string) bool { return s != "" })
		if !rapid.Bool().Draw(t, "odd") {
			key = key.Filter(func(s string) bool { return !strings.HasPrefix(s, "/") })
		}
		both := func(do func(gofakes3.Backend) (any, error)) {
			t.Helper()
			want, wantErr := do(alone)
			got, err := do(ours)
			if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(gofakes3.ObjectList{}), cmpopts.IgnoreFields(gofakes3.CopyObjectResult{}, "LastModified")); diff != "" || fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Fatalf("%v, of s3mem %v %s", err, wantErr, diff)
			}
		}
		both(func(b gofakes3.Backend) (any, error) { return nil, b.CreateBucket(Bucket) })
		write := func(t *rapid.T) {
			name, value := key.Draw(t, "key"), text(2).Draw(t, "value")
			var conditions *gofakes3.PutConditions
			sum := md5.Sum([]byte("a"))
			switch star, tag := "*", gofakes3.FormatETag(sum[:]); rapid.IntRange(0, 3).Draw(t, "condition") {
			case 0:
				conditions = &gofakes3.PutConditions{IfNoneMatch: &star}
			case 1:
				conditions = &gofakes3.PutConditions{IfMatch: &tag}
			}
			size := int64(len(value) + rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(t, "short by"))
			both(func(b gofakes3.Backend) (any, error) {
				put, err := b.PutObject(Bucket, name, map[string]string{}, strings.NewReader(value), size, conditions)
				return put.VersionID, err
			})
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": write, "another": write, "third": write,
			"copy": func(t *rapid.T) {
				from, to := key.Draw(t, "from"), key.Draw(t, "to")
				both(func(b gofakes3.Backend) (any, error) {
					return b.CopyObject(Bucket, from, Bucket, to, map[string]string{})
				})
			},
			"delete": func(t *rapid.T) {
				name := key.Draw(t, "key")
				both(func(b gofakes3.Backend) (any, error) { return b.DeleteObject(Bucket, name) })
			},
			"delete some": func(t *rapid.T) {
				names := rapid.SliceOf(key).Draw(t, "keys")
				both(func(b gofakes3.Backend) (any, error) { return b.DeleteMulti(Bucket, names...) })
			},
			"": func(t *rapid.T) {
				prefix := &gofakes3.Prefix{Prefix: text(4).Draw(t, "prefix"), Delimiter: rapid.SampledFrom([]string{"", "/", "/", "/", "a", "ab"}).Draw(t, "delimiter")}
				prefix.HasPrefix, prefix.HasDelimiter = rapid.IntRange(0, 9).Draw(t, "has") > 0, prefix.Delimiter != ""
				page := gofakes3.ListBucketPage{Marker: text(4).Draw(t, "marker"), MaxKeys: rapid.Int64Range(0, 6).Draw(t, "most")}
				page.HasMarker = page.Marker != ""
				both(func(b gofakes3.Backend) (any, error) { return b.ListBucket(Bucket, prefix, page) })
			},
		})
		both(func(b gofakes3.Backend) (any, error) { return b.ListBucket(Bucket, nil, gofakes3.ListBucketPage{}) })
		both(func(b gofakes3.Backend) (any, error) { return b.ListBucket("none", nil, gofakes3.ListBucketPage{}) })
	})
}

// Of two objects, the later one is in no listing without the earlier one.
func TestListedAtOneMoment(t *testing.T) {
	b := inMemory(1)
	err := b.CreateBucket(Bucket)
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() {
		for i := range 300 {
			for _, name := range []string{"early", "late"} {
				_, putErr := b.PutObject(Bucket, fmt.Sprintf("%s/%d", name, i), map[string]string{}, strings.NewReader(""), 0, nil)
				err = errors.Join(err, putErr)
			}
		}
	})
	count := map[string]int{}
	for count["late"] < 300 {
		list, err := b.ListBucket(Bucket, nil, gofakes3.ListBucketPage{})
		if err != nil {
			t.Fatal(err)
		}
		clear(count)
		for _, c := range list.Contents {
			name, _, _ := strings.Cut(c.Key, "/")
			count[name]++
		}
		if count["late"] > count["early"] {
			t.Fatalf("%v", count)
		}
	}
	all.Wait()
	if err != nil {
		t.Fatal(err)
	}
}
