package serve

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/store/storetest"
)

// However many watch a sweep in a bucket, the bucket is asked as often as for one.
func TestWatchersShareTheBucket(t *testing.T) {
	bucket := storetest.S3(t)
	where := bucket.Where("many.sweep")
	st, err := store.Open(t.Context(), where)
	must(t, err)
	makeSweep(t, st, 3, firstOnly)
	s := serverOf(t, Access{}, where)
	origin := listening(t, s)
	path := "/s/" + idOf(t, s) + "/events"
	asked := func() (n int) { // since it was called last
		for _, count := range bucket.Requests() {
			n += count
		}
		return n
	}
	watch := func(clients int) (requests int) {
		get(s, strings.TrimSuffix(path, "/events")) // up with the sweep
		asked()                                     // counts from here
		stop := watchers(t, origin+path, clients, new(atomic.Int64))
		time.Sleep(lookInBucket + time.Second) // one more look
		requests = asked()
		stop()
		return requests
	}
	one, many := watch(1), watch(100)
	t.Logf("%d requests for 1 client, %d for 100", one, many)
	if one == 0 || many > 2*one { // a slow start takes another look
		t.Errorf("100 clients cost %d requests, and one costs %d", many, one)
	}
}

// A catalogue of sweeps in a bucket asks a bounded number of requests for each sweep that
// it reads for the first time, and none for a search once they are known.
func TestCatalogueAsksTheBucketSeldom(t *testing.T) {
	const sweeps = 8
	bucket := storetest.S3(t)
	for i := range sweeps {
		st, err := store.Open(t.Context(), bucket.Where("all/"+string(rune('a'+i))+".sweep"))
		must(t, err)
		must(t, makeSweep(t, st, 3, firstOnly).Lease().Release())
	}
	asked := func() (n int) {
		for _, count := range bucket.Requests() {
			n += count
		}
		return n
	}
	s := serverOf(t, Access{}, bucket.Where("all"))
	asked()
	listed, err := s.roots.Sweeps(t.Context())
	must(t, err)
	s.shelf.ReadAll(t.Context(), listed.Sweeps)
	first := asked()
	for _, q := range []string{"", "tides", "state:failed", "apac"} {
		if code, _, body := get(s, "/?q="+q); code != http.StatusOK || q == "" && strings.Count(body, `href="/s/`) < sweeps {
			t.Errorf("%q: %d %s", q, code, body)
		}
	}
	later := asked()
	t.Logf("%d requests to read %d sweeps, %d for four pages after that", first, sweeps, later)
	if first > 40*sweeps || later > 4*sweeps {
		t.Errorf("%d requests to read %d sweeps, %d for four pages after that", first, sweeps, later)
	}
}

// A folder of 1,010 entries in a bucket is listed whole, though a listing has 1,000.
func TestManyEntriesInABucket(t *testing.T) {
	bucket := storetest.S3(t)
	where := bucket.Where("team")
	st, err := store.Open(t.Context(), where)
	must(t, err)
	for i := range 1005 {
		must(t, st.Put(t.Context(), fmt.Sprintf("f%04d.txt", i), []byte("x"), store.Cached))
	}
	for i := range 5 {
		must(t, st.Put(t.Context(), fmt.Sprintf("d%d/x.txt", i), []byte("x"), store.Cached))
	}
	s := serverOf(t, Access{}, where)
	code, _, body := get(s, "/view/")
	if n := strings.Count(body, `<th scope="row">`); code != http.StatusOK || n != 1010 {
		t.Errorf("%d, %d entries", code, n)
	}
}
