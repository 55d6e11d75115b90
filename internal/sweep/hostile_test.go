package sweep_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// received is a sweep of one run, a, that somebody made up, with more objects.
func received(t *testing.T, more map[string]string) store.Store {
	t.Helper()
	st, runs := store.Mem(), `{"id":"a","params":[]}`+"\n"
	all := map[string]string{
		"FORMAT": `{"format":"fanout-sweep","version":1,"name":"s"}`, "plan/000001.jsonl": runs,
		"plan/000001.json": fmt.Sprintf(`{"number":7,"runs":1,"digest":%q}`, sweep.Digest([]byte(runs))),
	}
	maps.Copy(all, more)
	for key, text := range all {
		if err := st.Put(t.Context(), key, []byte(text), store.Cached); err != nil {
			t.Fatal(err)
		}
	}
	return st
}

// hugeNumbers are of no lease, plan or attempt: the next one could not be counted.
var hugeNumbers = []string{"9223372036854775807", "9223372036854775806", "99999999999999999999", "1000000000"}

// A number after which there is no next one is an error that names the object.
func TestHugeNumbersOfLeasesAndPlans(t *testing.T) {
	for _, n := range hugeNumbers {
		for _, key := range []string{"lease/" + n, "plan/" + n + ".json"} {
			s, err := sweep.Open(t.Context(), received(t, map[string]string{key: "{}"}))
			if err == nil {
				_, err = s.Acquire(t.Context())
			}
			if err == nil || !strings.Contains(err.Error(), key+" has a number that fanout did not give it") {
				t.Errorf("%s: error %v", key, err)
			}
			if text := fmt.Sprint(err, unit.HintOf(err)); !strings.Contains(text, "delete ") {
				t.Errorf("%s: no advice in %s", key, text)
			}
		}
	}
}

// Records and notebooks of attempts that nobody can have made are passed over:
// the next attempt is the first.
func TestHugeNumbersOfAttempts(t *testing.T) {
	for _, n := range append(hugeNumbers, "1000001", "-1", "0") {
		for name, more := range map[string]map[string]string{
			"began":     {"log/000001/fanout.jsonl": `{"began":{"run":"a","n":` + n + `}}` + "\n"},
			"ended":     {"log/000001/fanout.jsonl": `{"ended":{"run":"a","n":` + n + `,"outcome":{"status":"succeeded"}}}` + "\n"},
			"forgotten": {"log/000001/fanout.jsonl": `{"forgotten":{"run":"a","n":` + n + `}}` + "\n"},
			"notebook":  {"attempts/a." + n + ".ipynb": "{}"},
		} {
			st := received(t, more)
			s, err := sweep.Open(t.Context(), st)
			if err != nil {
				t.Errorf("%s %s: %v", name, n, err)
				continue
			}
			l, err := s.Acquire(t.Context())
			if err != nil {
				t.Errorf("%s %s: %v", name, n, err)
				continue
			}
			a, err := l.Begin(t.Context(), "a", sweep.Began{})
			if err != nil || a.Attempt != 1 {
				t.Errorf("%s %s: attempt %+v, %v", name, n, a, err)
			}
			if err := l.Release(); err != nil {
				t.Error(err)
			}
		}
	}
}

// A plan that names no sweep file, or one that is none, is an error wherever the sweep
// file is needed: nobody is given a sweep without.
func TestPlanWithoutSweepFile(t *testing.T) {
	for spec, text := range map[string]string{"": "", "frozen/s.yaml": "- no map", "frozen/none.yaml": ""} {
		runs := `{"id":"a","params":[]}` + "\n"
		more := map[string]string{"plan/000001.json": fmt.Sprintf(`{"number":1,"runs":1,"digest":%q,"spec":%q,"spec_name":"s.yaml"}`, sweep.Digest([]byte(runs)), spec)}
		if text != "" {
			more[spec] = text
		}
		if s, err := sweep.OpenPlanned(t.Context(), received(t, more)); err == nil {
			t.Errorf("%q: spec %v", spec, s.Spec())
		}
	}
}

// The number of a plan is that of its key, whatever its head says.
func TestPlanIsNumberedByItsKey(t *testing.T) {
	s, err := sweep.Open(t.Context(), received(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	if h, _ := s.Head(); h.Number != 1 {
		t.Errorf("plan 1 is number %d", h.Number)
	}
}

// A run that has been tried too often, says its log, is not begun.
func TestAttemptsEnd(t *testing.T) {
	s, err := sweep.Open(t.Context(), received(t, map[string]string{"log/000001/fanout.jsonl": `{"forgotten":{"run":"a","n":1000000}}` + "\n"}))
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Release()
	if _, err := l.Begin(t.Context(), "a", sweep.Began{}); err == nil || !strings.Contains(err.Error(), "tried 1000000 times") {
		t.Errorf("error %v", err)
	}
}

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
		if a, err := l.Begin(t.Context(), "a", sweep.Began{}); err == nil && a.Attempt < 1 {
			t.Errorf("attempt %d begins", a.Attempt)
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

// strangeIDs are of no run: a key that begins with one would be another's, or none.
var strangeIDs = []string{"", ".", "..", "../../x", "/etc/passwd", "a/b", "a.1", "a b", "-rf", "a\x00b", "\x1b[31m", "\u202ea", strings.Repeat("a", 65)}

// A plan names its runs by ids that can be parts of keys, and each once.
func TestStrangeIDsInPlans(t *testing.T) {
	for _, id := range append(strangeIDs, "a") {
		name, err := json.Marshal(id)
		if err != nil {
			t.Fatal(err)
		}
		runs := `{"id":"a","params":[]}` + "\n" + `{"id":` + string(name) + `,"params":[]}` + "\n"
		st := received(t, map[string]string{"plan/000001.jsonl": runs, "plan/000001.json": fmt.Sprintf(`{"number":1,"runs":2,"digest":%q}`, sweep.Digest([]byte(runs)))})
		_, err = sweep.Open(t.Context(), st)
		if err == nil || !strings.Contains(err.Error(), "read plan/000001.jsonl: line 2: ") {
			t.Errorf("%q: error %v", id, err)
		}
	}
}

// What a log says of runs with such ids is passed over.
func TestStrangeIDsInLogs(t *testing.T) {
	for _, id := range strangeIDs {
		name, err := json.Marshal(id)
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range []string{`{"began":{"run":%s,"n":1}}`, `{"ended":{"run":%s,"n":1,"outcome":{"status":"succeeded"}}}`, `{"forgotten":{"run":%s,"n":1}}`, `{"accepted":[{"run":%s,"n":1}]}`} {
			s, err := sweep.Open(t.Context(), received(t, map[string]string{"log/000001/fanout.jsonl": fmt.Sprintf(form, name) + "\n"}))
			if err != nil {
				t.Errorf("%q in %s: %v", id, form, err)
				continue
			}
			for st := range s.All() {
				if st.Run.ID != "a" {
					t.Errorf("%q in %s: there is a run %q", id, form, st.Run.ID)
				}
			}
		}
	}
}
