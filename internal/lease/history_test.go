package lease

import (
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
