package sweep_test

import (
	"encoding/json"
	"testing"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// FuzzSweep opens sweeps that somebody made up: an error or a sweep that can be
// asked everything and be taken over, no panic.
func FuzzSweep(f *testing.F) {
	notebook := `{"nbformat":4,"nbformat_minor":5,"metadata":{"fanout":{"run_id":"a","attempt":1,"outcome":{"status":"succeeded"}}},"cells":[]}`
	f.Add([]byte(`{"number":1,"runs":1,"templates":[{"key":"frozen/t.ipynb"}]}`), []byte(`{"id":"a","params":[]}`+"\n"),
		[]byte(`{"began":{"run":"a","n":1}}`+"\n"+`{"ended":{"run":"a","n":1,"outcome":{"status":"failed"}}}`+"\n"), []byte(notebook))
	f.Add([]byte(`{}`), []byte(``), []byte(`{"forgotten":{"run":"b","n":-1}}`+"\n"+`{"abandoned":{"run":"a","n":0}}`+"\n"+`{"closed":{}}`+"\n"), []byte(`{}`))
	f.Fuzz(func(t *testing.T, head, runs, log, attempt []byte) {
		st := store.Mem()
		var h map[string]any
		if json.Unmarshal(head, &h) == nil && h != nil {
			h["digest"] = sweep.Digest(runs)
			head, _ = json.Marshal(h)
		}
		for key, text := range map[string][]byte{
			"FORMAT": []byte(`{"format":"fanout-sweep","version":1,"name":"s"}`), "plan/000001.json": head, "plan/000001.jsonl": runs,
			"log/000001/fanout.jsonl": log, "attempts/a.1.ipynb": attempt, "attempts/a.2.part.ipynb": attempt,
		} {
			if err := st.Put(t.Context(), key, text, store.Cached); err != nil {
				t.Fatal(err)
			}
		}
		s, err := sweep.Open(t.Context(), st)
		if err != nil {
			return
		}
		ask(t, s)
		l, err := s.Acquire(t.Context())
		if err != nil {
			return
		}
		for _, b := range s.Orphans() {
			if b.Run == "a" {
				_ = l.Lose(t.Context(), b, "gone")
			}
		}
		ask(t, s)
		if err := l.Release(); err != nil {
			t.Error(err)
		}
	})
}

// ask asks a sweep for all that it knows.
func ask(t *testing.T, s *sweep.Sweep) {
	n := 0
	for _, c := range s.Counts() {
		n += c
	}
	planned := 0
	for _, st := range s.Runs() {
		if !st.Run.Unplanned {
			planned++
		}
		s.Stale(st, []string{"code", "files"})
		s.SettingsOf(st.Run)
		_ = st.Status == outcome.Succeeded
		_, _ = s.Notebook(t.Context(), st)
		_, _, _ = s.TemplateOf(t.Context(), st.Run)
	}
	if n != planned {
		t.Errorf("%d runs are counted, and %d planned", n, planned)
	}
	_, _ = s.Parts(t.Context())
	_, _ = s.Versions(t.Context())
	_, _ = s.OpenShards(t.Context())
	for range s.Entries(t.Context()) {
	}
	s.Unplanned()
	s.SourceDir()
}
