package fan

import (
	"testing"
	"time"
)

func TestAutoSize(t *testing.T) {
	for _, c := range []struct {
		took         time.Duration
		left, window int
		want         int
	}{
		{0, 1000, 4, 1},                      // nothing is known
		{time.Hour, 1000, 4, 1},              // a long run travels alone
		{time.Second, 1000, 4, 30},           // half a minute
		{time.Second, 40, 4, 5},              // and two shards a place at the end
		{time.Second, 3, 4, 1},               //
		{time.Millisecond, 1e6, 4, 500},      // never more than that
		{50 * time.Millisecond, 900, 2, 225}, // two shards for each place
		{50 * time.Millisecond, 280, 2, 80},  // and none that does not pay for its start
		{50 * time.Millisecond, 99, 2, 50},   // but each place has its own
		{50 * time.Millisecond, 1, 2, 1},     //
	} {
		if got := autoSize(c.took, c.left, c.window); got != c.want {
			t.Errorf("autoSize(%v, %d, %d) = %d, want %d", c.took, c.left, c.window, got, c.want)
		}
	}
}
