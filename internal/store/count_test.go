package store

import (
	"context"
	"net/http"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/store/storetest"
)

// tally adds up requests by operation.
type tally struct {
	mu    sync.Mutex
	n     map[string]int
	again map[string]int
	sent  map[string]int64
	got   map[string]int64
}

func newTally() *tally {
	return &tally{n: map[string]int{}, again: map[string]int{}, sent: map[string]int64{}, got: map[string]int64{}}
}

func (a *tally) count(r Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.n[r.Operation]++
	a.sent[r.Operation] += r.Sent
	a.got[r.Operation] += r.Got
	if r.Again {
		a.again[r.Operation]++
	}
}

// use asks a store once for each thing, in which objects have ten bytes.
func use(t *testing.T, ctx context.Context, st Store) {
	t.Helper()
	ten := []byte("0123456789")
	_, missing := st.Stat(ctx, "none")
	for _, err := range []error{st.Put(ctx, "a", ten, Cached), st.Create(ctx, "b", ten, Cached), st.Copy(ctx, "c", "a"), st.Delete(ctx, "b")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	got, err := st.Get(ctx, "c")
	n := 0
	for _, err := range st.List(ctx, "") {
		if n++; err != nil {
			t.Fatal(err)
		}
	}
	if missing == nil || err != nil || len(got) != 10 || n != 2 {
		t.Fatal(missing, err, len(got), n)
	}
}

// What is asked of a directory and of a bucket is counted alike, and what a bucket
// refuses for the moment is counted as sent again.
func TestCounted(t *testing.T) {
	want := map[string]int{"stat": 1, "put": 2, "copy": 1, "delete": 1, "get": 1, "list": 1}
	dir := newTally()
	st, err := Open(Counted(t.Context(), dir.count), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	use(t, t.Context(), st)
	if diff := cmp.Diff(want, dir.n); diff != "" || dir.sent["put"] != 20 || dir.got["get"] != 10 {
		t.Errorf("of a directory (-want +got), sent %d, got %d:\n%s", dir.sent["put"], dir.got["get"], diff)
	}
	log, err := st.Append(t.Context(), "log")
	if err != nil {
		t.Fatal(err)
	}
	log.Write([]byte("one\n"))
	log.Later([]byte("two\n"))
	if log.Close(); dir.n["append"] != 2 || dir.sent["append"] != 8 {
		t.Errorf("a log: %d requests, %d bytes", dir.n["append"], dir.sent["append"])
	}

	server, bucket := storetest.S3(t), newTally()
	if st, err = Open(Counted(t.Context(), bucket.count), server.Where("some/where")); err != nil {
		t.Fatal(err)
	}
	lost := false
	server.Lose(func(r *http.Request) bool {
		first := r.Method == http.MethodHead && !lost
		lost = lost || first
		return first
	})
	use(t, t.Context(), st)
	want["stat"]++
	if diff := cmp.Diff(want, bucket.n); diff != "" || bucket.got["get"] != 10 || bucket.sent["put"] != 20 {
		t.Errorf("of a bucket (-want +got), sent %d, got %d:\n%s", bucket.sent["put"], bucket.got["get"], diff)
	}
	if diff := cmp.Diff(map[string]int{"stat": 1}, bucket.again); diff != "" {
		t.Errorf("sent again (-want +got):\n%s", diff)
	}
}
