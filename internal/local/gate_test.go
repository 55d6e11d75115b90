package local

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := int64(10)
		g := &gate{available: func() (int64, int64, bool) { return free, 1000, true }}
		if err := g.enter(t.Context(), 0); err != nil {
			t.Fatal(err) // the first is let in however short memory is
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := g.enter(ctx, 0); err == nil {
			t.Error("a second run was let in with one per cent of memory left")
		}
		free = 500
		if err := g.enter(t.Context(), 400); err != nil {
			t.Error(err)
		}
		ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := g.enter(ctx, 600); err == nil {
			t.Error("a run that needs more than there is was let in")
		}
		g.leave()
		g.leave()
		if err := g.enter(t.Context(), 600); err != nil {
			t.Error(err)
		}
		began := time.Now()
		time.AfterFunc(9900*time.Millisecond, func() { g.leave() }) // between two looks
		if err := g.enter(t.Context(), 600); err != nil || time.Since(began) != 10*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestMachine(t *testing.T) {
	m := thisMachine()
	if m.cores < 1 || m.host == "" {
		t.Errorf("%+v", m)
	}
	if free, total, known := memoryAvailable(); known && (free <= 0 || free > total) {
		t.Errorf("%d of %d bytes are free", free, total)
	}
}

func TestMatches(t *testing.T) {
	for _, tc := range []struct {
		pattern, name string
		want          bool
	}{
		{"*.csv", "a/b/x.csv", true}, {"*.csv", "a/.csv", true}, {"./*.csv", "x.csv", true}, {"./*.csv", "a/x.csv", false},
		{"a/*.csv", "a/b/x.csv", false}, {"a/**/*.csv", "a/b/x.csv", true}, {"a/**/*.csv", "a/x.csv", true},
		{"a/**", "a/b/x", true}, {"**", "a/b/x", true}, {"*.{csv,png}", "a/x.png", true}, {"[", "[", false},
	} {
		if got := matches([]string{tc.pattern}, tc.name); got != tc.want {
			t.Errorf("%s matches %s: %v", tc.pattern, tc.name, got)
		}
	}
}
