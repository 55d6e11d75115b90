package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/draft"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/store/storetest"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/sweep/sweeptest"
)

// many are sweeps of a number of runs each. No two have the same name, title, owner and
// tags; those of one model have the same runs, and share their objects.
type many struct {
	sweeps, runs int
	models       []string // folders
}

const manyModels = 20

// manySweeps makes the models: their axes differ, and in every third one some runs failed.
func manySweeps(t *testing.T, sweeps, runs int) many {
	t.Helper()
	m := many{sweeps: sweeps, runs: runs}
	for i := range min(manyModels, sweeps) {
		dir := t.TempDir()
		m.models = append(m.models, filepath.Join(dir, "model.sweep"))
		file := fmt.Sprintf("name: tides\ntemplate: t.ipynb\ngrid:\n  harbour: [north-%d, south-%d]\n  step_%d: {range: {from: 1, to: %d}}\nmetrics: {level: {unit: m}}\n", i, i, i, runs/2)
		templateIn(t, filepath.Join(dir, "t.ipynb"), "Tides", fmt.Sprintf("harbour = ''\nstep_%d = 0\n", i), "1")
		sure(t, os.WriteFile(filepath.Join(dir, "sweep.yaml"), []byte(file), 0o666))
		d, err := draft.Read(t.Context(), draft.Source{File: filepath.Join(dir, "sweep.yaml"), AsOf: time.Now()})
		sure(t, err)
		st := store.Dir(m.models[i])
		s, err := sweep.Init(t.Context(), st, "tides")
		sure(t, err)
		_, err = s.Acquire(t.Context())
		sure(t, err)
		sure(t, d.Expand(t.Context()))
		d.SetSource("..")
		_, err = s.Lease().Plan(t.Context(), d.Plan)
		sure(t, err)
		sure(t, sweeptest.Fill(t.Context(), s, func(n int, _ sweep.RunState) sweeptest.End {
			if i%3 == 1 && n%50 == 3 {
				return sweeptest.End{Outcome: outcome.Outcome{Status: outcome.Failed, Kind: outcome.Exception, Cell: 2, Ename: "ValueError", Evalue: "bad tide", Reason: "cell 2 raised ValueError: bad tide"}}
			}
			return sweeptest.End{Outcome: outcome.Outcome{Status: outcome.Succeeded}, Scraps: map[string]json.RawMessage{"level": json.RawMessage(strconv.Itoa(n)), "note": json.RawMessage(`"calm"`)}}
		}))
		sure(t, s.Lease().Release())
	}
	return m
}

func sure(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// place is where a sweep lies beneath the root.
func (m many) place(i int) string {
	return fmt.Sprintf("team-%d/tides-%04d.sweep", i%37, i)
}

// shared are the keys of what sweeps of one model have in common.
func (m many) shared(t *testing.T, model string) (keys []string) {
	t.Helper()
	st := store.Dir(model)
	for o, err := range st.List(t.Context(), "") {
		sure(t, err)
		if o.Key != "FORMAT" && o.Key != "plan/000001.json" && o.Key != "lease/000001" && path.Ext(o.Key) != ".ipynb" {
			keys = append(keys, o.Key)
		}
	}
	return keys
}

// own are the objects that a sweep has for itself.
func (m many) own(t *testing.T, i int) map[string][]byte {
	t.Helper()
	read := func(key string) []byte {
		text, err := os.ReadFile(filepath.Join(m.models[i%len(m.models)], key))
		sure(t, err)
		return text
	}
	swap := func(text []byte, old, new string) []byte {
		if !bytes.Contains(text, []byte(old)) {
			t.Fatalf("%q is not in %.300s", old, text)
		}
		return bytes.Replace(text, []byte(old), []byte(new), 1)
	}
	var head map[string]any
	sure(t, json.Unmarshal(read("plan/000001.json"), &head))
	template := head["templates"].([]any)[0].(map[string]any)
	doc := swap(read(template["key"].(string)), "# Tides", fmt.Sprintf("# Tides of quay %d\\n\\nHow high the water stands.", i))
	doc = swap(doc, `"metadata": {"kernelspec"`, fmt.Sprintf(`"metadata": {"tags": ["coast-%d", "water"], "kernelspec"`, i%11))
	key := "frozen/" + sweep.Digest(doc) + ".ipynb"
	template["key"] = key
	again, err := json.Marshal(head)
	sure(t, err)
	return map[string][]byte{
		"FORMAT": swap(read("FORMAT"), `"name":"tides"`, fmt.Sprintf(`"name":"tides-%04d"`, i)), "plan/000001.json": again, key: doc,
		"lease/000001": fmt.Appendf(nil, `{"host":"vm","pid":1,"user":"owner-%d","since":"2026-01-02T03:04:05Z"}`, i%53),
	}
}

// inFolder makes the sweeps beneath a folder.
func (m many) inFolder(t *testing.T) (root string) {
	t.Helper()
	root = t.TempDir()
	for i := range m.sweeps {
		model, dir := m.models[i%len(m.models)], filepath.Join(root, m.place(i))
		for _, key := range m.shared(t, model) {
			sure(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, key)), 0o777))
			sure(t, os.Link(filepath.Join(model, key), filepath.Join(dir, key)))
		}
		for key, text := range m.own(t, i) {
			sure(t, os.WriteFile(filepath.Join(dir, key), text, 0o666))
		}
	}
	return root
}

// inBucket makes the sweeps in a bucket.
func (m many) inBucket(t *testing.T, bucket *storetest.Server) (root string) {
	t.Helper()
	put := func(key string, text []byte) {
		st, err := store.Open(t.Context(), bucket.Where(path.Dir(key)))
		sure(t, err)
		sure(t, st.Put(t.Context(), path.Base(key), text, store.Cached))
	}
	for i, model := range m.models {
		for _, key := range m.shared(t, model) {
			text, err := os.ReadFile(filepath.Join(model, key))
			sure(t, err)
			put(fmt.Sprintf("models/%d/%s", i, key), text)
		}
	}
	for i := range m.sweeps {
		for key, text := range m.own(t, i) {
			put("all/"+m.place(i)+"/"+key, text)
		}
		n := i % len(m.models)
		for _, key := range m.shared(t, m.models[n]) {
			sure(t, bucket.Share("all/"+m.place(i)+"/"+key, fmt.Sprintf("models/%d/%s", n, key)))
		}
	}
	return bucket.Where("all")
}

// page asks for the front page, and says how long it took.
func (s server) page(query string) (text string, took time.Duration) {
	s.t.Helper()
	where, token, _ := strings.Cut(s.address, "?token=")
	began := time.Now()
	r, err := http.NewRequestWithContext(s.t.Context(), "GET", where+"?q="+url.QueryEscape(query), nil)
	sure(s.t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Accept", "text/html")
	answer, err := http.DefaultClient.Do(r)
	sure(s.t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	sure(s.t, err)
	if answer.StatusCode != http.StatusOK || !bytes.Contains(body, []byte("tides-")) {
		s.t.Fatalf("%q: %s %.2000s", query, answer.Status, body)
	}
	return string(body), time.Since(began)
}

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// memory is how much the server had in memory at most, in MB.
func (s server) memory() int {
	s.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	sure(s.t, err)
	found := highWater.FindSubmatch(text)
	if found == nil {
		s.t.Skipf("this system does not say how much memory a process had: %s", text)
	}
	kilobytes, _ := strconv.Atoi(string(found[1]))
	return kilobytes >> 10
}

// worked is how long the server has used processors: where others use the machine, that
// says more than a clock. It is zero where the system does not say.
func (s server) worked() time.Duration {
	s.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	var ticks int
	for _, field := range strings.Fields(rest)[11:13] { // of programs, and of the system for them
		n, err := strconv.Atoi(field)
		sure(s.t, err)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// maxMemory is how much a server of 2,000 sweeps of 10,000 runs may have, in MB.
const maxMemory = 200

// within fails where the server had more than that. The race detector has several times
// as much.
func (s server) within() {
	s.t.Helper()
	info, ok := debug.ReadBuildInfo()
	raced := ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
	if high := s.memory(); high > maxMemory && !raced {
		s.t.Errorf("the server had %d MB, want at most %d", high, maxMemory)
	}
}

// A server of many sweeps reads each of them once, whatever process asks later, within
// bounds of memory and, in a bucket, of requests. FANOUT_TEST_LONG=1 has 2,000 sweeps of
// 10,000 runs in a folder and in a bucket, and prints how long the pages take.
func TestManySweeps(t *testing.T) {
	sweeps, runs := 30, 100
	if os.Getenv("FANOUT_TEST_LONG") != "" {
		sweeps, runs = 2000, 10_000
	}
	m := manySweeps(t, sweeps, runs)
	t.Run("folder", func(t *testing.T) {
		m.walk(t, m.inFolder(t), func() int { return 0 })
	})
	t.Run("bucket", func(t *testing.T) {
		bucket := storetest.S3(t)
		root := m.inBucket(t, bucket)
		bucket.Requests()
		m.walk(t, root, func() (n int) {
			for _, count := range bucket.Requests() {
				n += count
			}
			return n
		})
	})
}

// walk reads the sweeps for the first time, and then looks for some, with another server.
func (m many) walk(t *testing.T, root string, requests func() int) {
	home := t.TempDir()
	first := serveIn(t, t.TempDir(), home, root)
	began := time.Now()
	for text := "still being read"; strings.Contains(text, "still being read"); time.Sleep(100 * time.Millisecond) {
		text, _ = first.page("")
	}
	asked := requests()
	t.Logf("%d sweeps of %d runs: read for the first time in %s (%s of a processor), memory at most %d MB, %d requests", m.sweeps, m.runs, time.Since(began).Round(100*time.Millisecond), first.worked(), first.memory(), asked)
	first.within()
	looks := int(time.Since(began) / time.Minute) // for new sweeps, a request a folder, while somebody has the page open
	if most := (20+looks)*m.sweeps + 200; asked > most {
		t.Errorf("%d requests to read %d sweeps, want at most %d", asked, m.sweeps, most)
	}
	first.end()

	again := serveIn(t, t.TempDir(), home, root)
	for _, q := range []struct {
		text, has string
	}{{"", "tides-"}, {"", "tides-"}, {"failed:>0 quay", "failed"}, {"owner:owner-7 tag:coast-7", "tides-0007"}, {"harbour:north-3", "north-3"}, {"water tides-0012", "tides-0012"}} {
		before := again.worked()
		text, took := again.page(q.text)
		if !strings.Contains(text, q.has) || strings.Contains(text, "still being read") {
			t.Errorf("%q: %.3000s", q.text, text)
		}
		t.Logf("page of %q: %s (%s of a processor), %d kB", q.text, took.Round(100*time.Microsecond), again.worked()-before, len(text)>>10)
	}
	asked = requests()
	for more := asked; more > 0; asked += more { // it goes on when its pages are out
		time.Sleep(time.Second)
		more = requests()
	}
	t.Logf("another server: memory at most %d MB, %d requests", again.memory(), asked)
	again.within()
	if most := 10*m.sweeps + 200; asked > most {
		t.Errorf("%d requests to look at %d sweeps, want at most %d", asked, m.sweeps, most)
	}
	again.end()

	kept, err := filepath.Glob(filepath.Join(home, "fanout", "shelf", "*.gz"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("%q %v", kept, err)
	}
	sure(t, os.WriteFile(kept[0], []byte("no archive"), 0o600))
	serveIn(t, t.TempDir(), home, root).page("")
}
