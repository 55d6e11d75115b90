package schedule

import (
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/store"
)

// Whatever stands in the schedule of a sweep, it is an error or due at some time.
func FuzzGet(f *testing.F) {
	f.Add(`{"crons":["0 2 * * *"],"zone":"Europe/Berlin"}`)
	f.Add(`{"crons":["@every 1s","* * * * * * *"],"zone":"../../etc/passwd"}`)
	f.Add(`{"crons":["0 0 30 2 *"],"zone":"","missed":"each"}`)
	f.Add(`{"crons":[]}`)
	f.Fuzz(func(t *testing.T, text string) {
		st := store.Mem()
		if err := st.Put(t.Context(), key, []byte(text), store.Cached); err != nil {
			t.Fatal(err)
		}
		s, err := Get(t.Context(), st)
		if err != nil {
			return
		}
		now := time.Unix(1_790_000_000, 0)
		if next, err := s.Next(now); err == nil && !next.IsZero() && !next.After(now) {
			t.Errorf("%q is due at %s", text, next)
		}
		if due, err := s.Between(now, now.AddDate(0, 0, 3), 10); err == nil && len(due) > 10 {
			t.Errorf("%q: %d times", text, len(due))
		}
	})
}
