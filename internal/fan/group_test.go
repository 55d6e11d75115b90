package fan

import (
	"testing"
	"time"
)

func TestAutoSize(t *testing.T) {
	for _, c := range []struct {
		took              time.Duration
		left, out, window int
		want              int
	}{
		{0, 1000, 0, 4, 1},                        // nothing is known
		{time.Hour, 1000, 0, 4, 1},                // a long run travels alone
		{time.Second, 1000, 0, 4, 30},             // half a minute
		{time.Second, 80, 0, 4, 10},               // and two shards a slot at the end
		{time.Second, 40, 40, 4, 10},              // whatever of it is out
		{time.Second, 3, 0, 4, 1},                 //
		{time.Millisecond, 1e6, 0, 4, 500},        // never more than that
		{50 * time.Millisecond, 900, 0, 2, 225},   // two shards for each slot
		{50 * time.Millisecond, 280, 0, 2, 140},   // but what is soon done is not divided again
		{50 * time.Millisecond, 140, 140, 2, 140}, // and every slot gets as much
		{50 * time.Millisecond, 30, 40, 2, 30},    // up to what is left
		{50 * time.Millisecond, 1, 0, 2, 1},       //
	} {
		if got := autoSize(c.took, c.left, c.out, c.window); got != c.want {
			t.Errorf("autoSize(%v, %d, %d, %d) = %d, want %d", c.took, c.left, c.out, c.window, got, c.want)
		}
	}
}
