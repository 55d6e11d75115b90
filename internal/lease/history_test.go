package lease

import (
	"fmt"
	"testing"

	"github.com/fanout-dev/fanout/internal/store"
)

// Who took the lease, and who asked its holder to stop, is remembered with what he
// did; what others put there in no form of ours is left out.
func TestHistory(t *testing.T) {
	ctx, st := t.Context(), store.Mem()
	deeds := []Deed{{Command: "fanout run x.yaml", From: "terminal"}, {Command: "fanout gc x.sweep", From: "web", For: "ana"}, {}}
	for i, d := range deeds {
		term, err := Take(Doing(ctx, d), st)
		if err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			if err := AskCancel(Doing(ctx, Deed{Command: "fanout cancel x.sweep"}), st); err != nil {
				t.Fatal(err)
			}
			if by, asked, err := term.CancelAsked(ctx); !asked || by.Command != "fanout cancel x.sweep" || err != nil {
				t.Errorf("%+v, %v, %v", by, asked, err)
			}
		}
		if err := term.End(); err != nil {
			t.Fatal(err)
		}
	}
	for key, text := range map[string]string{"lease/000002.cancel.old": "{}", "lease/readme": "{}", "lease/000001.cancel": "no JSON"} {
		if err := st.Put(ctx, key, []byte(text), store.Cached); err != nil {
			t.Fatal(err)
		}
	}
	got, err := History(ctx, st, 2)
	if err != nil || len(got) != 3 {
		t.Fatalf("%+v, %v", got, err)
	}
	me := Me()
	for i, want := range []Entry{{Term: 2}, {Term: 2, Cancel: true}, {Term: 3}} {
		if e := got[i]; e.Term != want.Term || e.Cancel != want.Cancel || e.User != me.User || e.Host != me.Host || e.PID != me.PID || e.Since.IsZero() {
			t.Errorf("entry %d is %+v", i, e)
		}
	}
	if got[0].Deed != deeds[1] || got[1].Command != "fanout cancel x.sweep" || got[2].Deed != (Deed{}) {
		t.Errorf("%+v", got)
	}
	if all, err := History(ctx, st, 100); err != nil || len(all) != 4 || all[0].Deed != deeds[0] {
		t.Errorf("%+v, %v", all, err)
	}
}

// What needs no lease is between the terms, by its time, and the oldest of it goes.
func TestRecord(t *testing.T) {
	ctx, st := t.Context(), store.Mem()
	for i := range maxDeeds + 3 {
		if i == maxDeeds+1 {
			term, err := Take(Doing(ctx, Deed{Command: "fanout run x.yaml"}), st)
			if err != nil {
				t.Fatal(err)
			}
			if err := term.End(); err != nil {
				t.Fatal(err)
			}
		}
		if err := Record(Doing(ctx, Deed{Command: fmt.Sprint("deed ", i), From: "web", For: "ana"}), st); err != nil {
			t.Fatal(err)
		}
	}
	for key, text := range map[string]string{deeds + "readme": "{}", deeds + "20200101T000000.000000000Z.json": "no JSON", deeds + "x.json": "{}"} {
		if err := st.Put(ctx, key, []byte(text), store.Cached); err != nil {
			t.Fatal(err)
		}
	}
	all, err := History(ctx, st, 2*maxDeeds)
	if err != nil || len(all) != maxDeeds+1 || all[0].Command != "deed 3" || all[0].Term != 0 || all[0].For != "ana" || all[0].User != Me().User {
		t.Fatalf("%d, %+v, %v", len(all), all[0], err)
	}
	if last := all[len(all)-4:]; last[0].Command != fmt.Sprint("deed ", maxDeeds) || last[1].Term != 1 || last[3].Command != fmt.Sprint("deed ", maxDeeds+2) {
		t.Errorf("%+v", last)
	}
	if few, err := History(ctx, st, 1); err != nil || len(few) != 2 || few[1].Command != fmt.Sprint("deed ", maxDeeds+2) {
		t.Errorf("%+v, %v", few, err)
	}
}
