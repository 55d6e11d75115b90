package actions

import (
	"slices"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/launch"
)

// A page says of a sweep's orders what has not ended; that of its schedule also how the
// last firing that was asked for ended.
func TestSaid(t *testing.T) {
	at := time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC)
	orders := []launch.Order{
		{Kind: launch.Rerun, Where: "a", By: "bo", At: at, Began: at, Ended: at},
		{Kind: launch.Resume, Where: "a", By: "bo", At: at, Began: at},
		{Kind: launch.Catchup, Where: "b", By: "bo", At: at, Set: []string{"2026-02-01 to 2026-02-02"}},
		{Kind: launch.Catchup, Where: "a", By: "ana\nx", At: at, Set: []string{"2026-02-01 to 2026-02-02"}, Began: at, Ended: at, Code: 5, Says: "fanout: begins\nit is held.\n"},
		{Kind: launch.Fire, Where: "a", By: "ana", At: at, Began: at, Ended: at},
		{Kind: launch.Fire, Where: "a", By: "ana", At: at},
		{Kind: launch.Launch, Where: "a", By: "ana", At: at},
	}
	for _, c := range []struct {
		orders []launch.Order
		timed  bool
		want   []string
	}{
		{orders, true, []string{"Asked for the firings of 2026-02-01 to 2026-02-02, by ana x at 2026-03-01 04:00 UTC: failed: it is held.", "Asked for a firing now, by ana at 2026-03-01 04:00 UTC; it appears below when it begins."}},
		{orders[4:], true, []string{"Asked for a firing now, by ana at 2026-03-01 04:00 UTC, and it is done.", "Asked for a firing now, by ana at 2026-03-01 04:00 UTC; it appears below when it begins."}},
		{orders, false, []string{"Asked for the runs that are left, by bo at 2026-03-01 04:00 UTC; they are being executed."}},
		{nil, true, nil},
	} {
		if got := said(c.orders, "a", c.timed); !slices.Equal(got, c.want) {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
