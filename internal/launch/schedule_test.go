package launch

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fanout-dev/fanout/internal/unit"
)

// What takes a moment is executed at once, whoever else is waiting, and never twice; what
// went wrong is said.
func TestNowDoesNotWait(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		code := 0
		s := newShop(t, folder, func(ctx context.Context, name string) int {
			if name == "long" {
				<-ctx.Done()
				return 143
			}
			time.Sleep(time.Second)
			return code
		})
		s.AtOnce = 1
		must(s.Add(order("long", "ana")))
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		go s.Run(ctx)
		time.Sleep(time.Minute)
		timed := Order{Kind: Schedule, Name: "a", Where: "/w/long", By: "ana", At: time.Now().UTC(), Args: []string{"schedule"}}
		began := time.Now()
		if err := s.Now(ctx, timed); err != nil || time.Since(began) != time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		code = 2
		if err := s.Now(ctx, timed); !unit.IsMistake(err) || err.Error() != "said schedule" {
			t.Errorf("%v", err)
		}
		<-ctx.Done()
		synctest.Wait()
		if ran := strings.Join(s.ran, " "); ran != "long schedule schedule" {
			t.Errorf("executed %s", ran)
		}
	})
}

// A server that was stopped while it caught up, or killed while it scheduled, leaves
// that to the next one.
func TestTimedOrdersOutliveServers(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		first := newShop(t, folder, func(ctx context.Context, _ string) int {
			select {
			case <-ctx.Done():
			case <-time.After(time.Hour):
			}
			return 143
		})
		o, err := CatchupOf("a", "/w/a", "2026-01-01", "2026-01-31", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		must(first.Add(o))
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		go first.Now(ctx, Order{Kind: Schedule, Name: "b", Where: "/w/b", At: time.Now().UTC(), Args: []string{"schedule"}})
		first.Run(ctx) // and Now never returns: the server was killed
		second := newShop(t, folder, func(context.Context, string) int { return 0 })
		ctx, stop = context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		second.Run(ctx)
		for _, o := range second.Orders() {
			if o.State() != "succeeded" {
				t.Errorf("%s: %s", o.Kind, o.State())
			}
		}
		if len(second.ran) != 2 {
			t.Errorf("the second server executed %q", second.ran)
		}
		time.Sleep(2 * time.Hour)
	})
}

// Days that are none, or the wrong way round, are no order.
func TestCatchupOf(t *testing.T) {
	for _, days := range [][2]string{{"", ""}, {"2026-01-02", "2026-01-01"}, {"--store=/etc", "2026-01-01"}, {"2026-01-01", "yesterday"}} {
		if o, err := CatchupOf("a", "/w/a", days[0], days[1], time.Now()); !unit.IsMistake(err) {
			t.Errorf("%v: %+v %v", days, o, err)
		}
	}
}
