package firing

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/store/storetest"
)

func stores(t *testing.T) map[string]store.Store {
	t.Helper()
	all := map[string]store.Store{"memory": store.Mem()}
	for name, where := range map[string]string{"directory": t.TempDir() + "/x.sweep", "bucket": storetest.S3(t).Where("x")} {
		st, err := store.Open(t.Context(), where)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = st
	}
	return all
}

func at(minute int) time.Time { return time.Date(2026, 3, 29, 2, minute, 0, 0, time.UTC) }

// A firing is in the history from its beginning, with its end once it has one,
// wherever the sweep is kept; a second try is a record of its own.
func TestHistory(t *testing.T) {
	for name, st := range stores(t) {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			berlin := time.FixedZone("CEST", 2*3600)
			r, err := Begin(ctx, st, Firing{Due: at(1).In(berlin), By: "Nomad", ID: "j/periodic-1", Host: "h", User: "u"})
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(r, "planned 3 runs")
			all, err := List(ctx, st, 10)
			if err != nil || len(all) != 1 || all[0].End != nil || !all[0].Due.Equal(at(1)) || all[0].ID != "j/periodic-1" || all[0].By != "Nomad" || all[0].Host+all[0].User != "hu" || time.Since(all[0].Began) > time.Minute {
				t.Fatalf("while it runs: %+v, %v", all, err)
			}
			fmt.Fprintln(r, "fanout: no route to the cluster")
			if err := r.Close(ctx, 1, "no route to the cluster"); err != nil {
				t.Fatal(err)
			}
			again, err := Begin(ctx, st, Firing{Due: at(1), By: "Nomad"})
			if err != nil || again.Try != 2 {
				t.Fatalf("%+v, %v", again, err)
			}
			if err := again.Close(ctx, 0, ""); err != nil {
				t.Fatal(err)
			}
			later, err := Begin(ctx, st, Firing{Due: at(2), By: "Nomad"})
			if err != nil {
				t.Fatal(err)
			}
			defer later.Close(ctx, 0, "")
			all, err = List(ctx, st, 10)
			if err != nil || len(all) != 3 || all[0].End != nil || all[1].Try != 2 || all[1].End.Code != 0 || all[2].End.Code != 1 || all[2].End.Reason != "no route to the cluster" || all[2].End.At.Before(all[2].Began) {
				t.Errorf("%+v, %v", all, err)
			}
			if two, err := List(ctx, st, 2); err != nil || len(two) != 2 || two[1].Try != 2 {
				t.Errorf("the last two are %+v, %v", two, err)
			}
			text, err := Log(ctx, st, all[2])
			stamped := regexp.MustCompile(`(?m)^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ `)
			if err != nil || stamped.ReplaceAllString(string(text), "# ") != "# planned 3 runs\n# fanout: no route to the cluster\n" {
				t.Errorf("its log is %q, %v", text, err)
			}
		})
	}
}

// Of several machines that make the same firing at once each has a try of its own.
func TestTriesAtOnce(t *testing.T) {
	for name, st := range stores(t) {
		t.Run(name, func(t *testing.T) {
			var all sync.WaitGroup
			tries := make([]int, 8)
			for i := range tries {
				all.Go(func() {
					r, err := Begin(t.Context(), st, Firing{Due: at(1)})
					if err != nil {
						t.Error(err)
						return
					}
					tries[i] = r.Try
					r.Close(t.Context(), i, "")
				})
			}
			all.Wait()
			seen := map[int]bool{}
			for _, n := range tries {
				seen[n] = true
			}
			if len(seen) != len(tries) || !seen[1] || !seen[len(tries)] {
				t.Errorf("the tries are %v", tries)
			}
		})
	}
}

// Records of a stranger are bounded and left out, not trusted.
func TestForeignRecords(t *testing.T) {
	st := store.Mem()
	for key, text := range map[string]string{
		"firings/20260329T020100Z.1.json":     "nonsense",
		"firings/20260329T020200Z.1.json":     strings.Repeat(" ", maxSize+1) + "{}",
		"firings/20260329T020300Z.1.json":     `{"due":"1999-01-01T00:00:00Z","try":7,"by":"x"}`,
		"firings/20260329T020300Z.1.end.json": "[]",
		"firings/soon.1.json":                 "{}",
		"firings/20260329T020400Z.0.json":     "{}",
		"firings/20260329T020400Z.json":       "{}",
	} {
		if err := st.Put(t.Context(), key, []byte(text), store.Cached); err != nil {
			t.Fatal(err)
		}
	}
	all, err := List(t.Context(), st, 100)
	if err != nil || len(all) != 1 || !all[0].Due.Equal(at(3)) || all[0].Try != 1 || all[0].End != nil {
		t.Errorf("%+v, %v", all, err)
	}
}

// The oldest go when there are too many, with all they have.
func TestHistoryIsBounded(t *testing.T) {
	st := store.Mem()
	for i := range maxKept + 2 {
		for _, suffix := range []string{".json", ".end.json", ".log"} {
			if err := st.Put(t.Context(), key(at(i), 1)+suffix, []byte("{}"), store.Cached); err != nil {
				t.Fatal(err)
			}
		}
	}
	r, err := Begin(t.Context(), st, Firing{Due: at(maxKept + 2)})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close(t.Context(), 0, "")
	began, ended, err := keys(t.Context(), st)
	if err != nil || len(began) != maxKept || len(ended) != maxKept-1 || !began[0].due.Equal(at(3)) {
		t.Errorf("%d began, %d ended, the first %s, %v", len(began), len(ended), began[0].due, err)
	}
}
