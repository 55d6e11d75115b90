package journal_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep/internal/journal"
)

// replay is what is known of the runs of a log that is read in pieces of n bytes.
func replay(r journal.Reader, log string, n int) map[string]journal.RunState {
	states := map[string]*journal.RunState{}
	for ; len(log) > n; log = log[n:] {
		r.Next([]byte(log[:n]), apply(states))
	}
	r.Next([]byte(log), apply(states))
	r.End()
	out := map[string]journal.RunState{}
	for id, st := range states {
		out[id] = *st
	}
	return out
}

func apply(states map[string]*journal.RunState) func(journal.Record) {
	return func(r journal.Record) {
		r.Apply(func(id string) *journal.RunState {
			if states[id] == nil {
				states[id] = &journal.RunState{Status: outcome.Planned}
			}
			return states[id]
		})
	}
}

// What a log says does not depend on the pieces it is read in, nor on whether the
// beginnings of attempts that ended are left out.
func TestReader(t *testing.T) {
	for seed := range uint64(30) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var log strings.Builder
		for range 60 {
			run, n := fmt.Sprintf("%016d", rnd.IntN(4)), 1+rnd.IntN(3)
			switch rnd.IntN(8) {
			case 0, 1, 2:
				fmt.Fprintf(&log, `{"began":{"run":%q,"n":%d,"at":"2026-01-01T00:00:00Z","host":"h","boot":"b"}}`+"\n", run, n)
			case 3, 4:
				fmt.Fprintf(&log, `{"ended":{"run":%q,"n":%d,"outcome":{"status":%q,"cell":0,"start":"2026-01-01T00:00:00Z","end":"2026-01-01T00:00:01Z","fingerprint":{}},"scraps":{"y":%d,"b":[1, 2]},"size":1,"mtime_ns":2}}`+"\n",
					run, n, []string{"succeeded", "failed", "canceled"}[rnd.IntN(3)], n)
			case 5:
				fmt.Fprintf(&log, `{"abandoned":{"run":%q,"n":%d}}`+"\n", run, n)
			case 6:
				fmt.Fprintf(&log, `{"ended":{"run":%q,"n":%d,"outcome":{"status":7}}}`+"\n", run, n) // damaged
			case 7:
				fmt.Fprintf(&log, `{"forgotten":{"run":%q,"n":%d}}`+"\n", run, n)
			}
		}
		log.WriteString(`{"began":{"run":"0000000000000000","n":9,`) // torn
		want := replay(journal.Reader{Every: true}, log.String(), 1<<20)
		for _, n := range []int{1 << 20, 1000, 77} {
			if d := cmp.Diff(want, replay(journal.Reader{}, log.String(), n), cmpopts.IgnoreUnexported(journal.RunState{})); d != "" {
				t.Fatalf("seed %d in pieces of %d (-every +open):\n%s\n%s", seed, n, d, log.String())
			}
		}
	}
}

func TestScraps(t *testing.T) {
	var r journal.Record
	for text, want := range map[string]string{
		`{"b":1,"a":{"x":"<é>"},"b":2}`:               `{"a":{"x":"<é>"},"b":2}`,
		`{"\ud800":1,"z` + "\xff" + `":2,"\u0000":3}`: `{"\u0000":3,"z�":2,"�":1}`,
		`{"c":[1, {"d":"x"}],"":null}`:                `{"":null,"c":[1,{"d":"x"}]}`,
		`{}`:                                          ``,
		`null`:                                        ``,
	} {
		var got string
		line := []byte(`{"ended":{"run":"r","n":1,"outcome":{"status":"failed"},"scraps":` + text + "}}\n")
		(&journal.Reader{}).Read(line, func(x journal.Record) { r = x })
		if s := r.Ended.Scraps; s.Len() > 0 {
			b, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			got = string(b)
		}
		r = journal.Record{}
		if want = strings.NewReplacer("<", `\u003c`, ">", `\u003e`).Replace(want); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
	broken := 0
	(&journal.Reader{}).Read([]byte(`{"ended":{"run":"r","n":1,"outcome":{},"scraps":[1]}}`+"\n"), func(journal.Record) { broken++ })
	if broken > 0 {
		t.Error("a list is read as scraps")
	}
}
