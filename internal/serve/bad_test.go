package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// What is no notebook, or too large a one, is said, and takes no memory.
func TestBadNotebooks(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) { must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666)) }
	write("cut.ipynb", hostileNotebook[:400])
	write("empty.ipynb", "")
	write("array.ipynb", "[]")
	write("three.ipynb", `{"metadata": {}, "nbformat": 3, "nbformat_minor": 0, "worksheets": [{"cells": [{"cell_type": "code", "input": "1", "outputs": [], "language": "python"}]}]}`)
	cell := `{"cell_type":"code","id":"c%d","metadata":{},"execution_count":1,"source":"x","outputs":[]}`
	var cells []string
	for i := range 100_000 {
		cells = append(cells, fmt.Sprintf(cell, i))
	}
	write("many.ipynb", `{"cells":[`+strings.Join(cells, ",")+`],"metadata":{},"nbformat":4,"nbformat_minor":5}`)
	huge, err := os.Create(filepath.Join(dir, "huge.ipynb"))
	must(t, err)
	must(t, huge.Truncate(1<<30)) // a file with a hole
	must(t, huge.Close())
	s := serverOf(t, Access{}, dir)
	for name, want := range map[string]struct {
		code int
		text string
	}{
		"cut.ipynb": {400, "no notebook"}, "empty.ipynb": {400, "no notebook"}, "array.ipynb": {400, "no notebook"}, "three.ipynb": {200, "three.ipynb"},
		"huge.ipynb": {413, "1.1 GB"}, "many.ipynb": {200, "100000 cells"},
	} {
		began := time.Now()
		code, _, body := get(s, "/view/"+name)
		if code != want.code || !strings.Contains(body, want.text) {
			t.Errorf("%s: %d, lacks %q: %.300s", name, code, want.text, body)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
	if code, _, _ := get(s, "/files/huge.ipynb"); code != http.StatusRequestEntityTooLarge {
		t.Errorf("the file of 1 GB: %d", code)
	}
}

// Names in every script, and of 4 kB, are shown as text, on pages that stay in
// their bounds.
func TestLongNames(t *testing.T) {
	long := strings.Repeat("naïve Ωμέγα Привет 漢字 עברית 😀 <b>&\"' ", 60)
	dir := t.TempDir()
	st := store.Dir(filepath.Join(dir, "x.sweep"))
	sw := makeSweep(t, st, 1, func(int, sweep.RunState) outcome.Outcome {
		return outcome.Outcome{Status: outcome.Failed, Kind: outcome.Exception, Cell: 2, Ename: long, Evalue: long, Reason: long}
	})
	s := serverOf(t, Access{}, dir)
	id, run := idOf(t, s), sw.Runs()[0].Run.ID
	for _, path := range []string{"/s/" + id, "/s/" + id + "/runs", "/s/" + id + "/runs/" + run} {
		code, _, body := get(s, path)
		if code != http.StatusOK || strings.Contains(body, "<b>&") || len(body) > 200_000 || !strings.Contains(body, "Ωμέγα") {
			t.Errorf("%s: %d, %d bytes", path, code, len(body))
		}
	}
	if code, _, _ := get(s, "/s/"+id+"/runs?where="+strings.Repeat("%F0%9F%98%80", 2000)); code != http.StatusBadRequest {
		t.Errorf("an expression of faces: %d", code)
	}
}

// TestNamesThatTurnRound: no name, wherever it comes from, changes the direction of what
// a page says behind it, or holds what a terminal obeys that shows the page.
func TestNamesThatTurnRound(t *testing.T) {
	const evil = "\u202e\u2066ah\u001b]0;t\u0007\u009b1m"
	dir := t.TempDir()
	st := store.Dir(filepath.Join(dir, "x.sweep"))
	sw := makeSweep(t, st, 2, func(int, sweep.RunState) outcome.Outcome {
		return outcome.Outcome{Status: outcome.Failed, Kind: outcome.Exception, Cell: 2, Ename: "E" + evil, Evalue: evil, Reason: "no" + evil}
	})
	must(t, sw.Lease().Release())
	for _, key := range []string{"FORMAT", "plan/000001.json"} {
		b, err := st.Get(t.Context(), key)
		must(t, err)
		var doc map[string]any
		must(t, json.Unmarshal(b, &doc))
		doc["name"] = "tides" + evil
		b, err = json.Marshal(doc)
		must(t, err)
		must(t, st.Put(t.Context(), key, b, store.Cached))
	}
	must(t, os.WriteFile(filepath.Join(dir, "note\u202e.txt"), []byte("x"), 0o666))
	s := serverOf(t, Access{}, dir)
	id, run := idOf(t, s), sw.Runs()[0].Run.ID
	for _, path := range []string{"/", "/s/" + id, "/s/" + id + "/runs", "/s/" + id + "/runs/" + run, "/s/" + id + "/cells", "/view/"} {
		code, _, body := get(s, path)
		if code != http.StatusOK || strings.ContainsAny(body, "\u202e\u2066\u001b\u0007\u009b") {
			t.Errorf("%s: %d, %.300q", path, code, body)
		}
		if path != "/view/" && !strings.Contains(body, "tidesah") {
			t.Errorf("%s does not name the sweep", path)
		}
	}
}

// away is a store that can be switched off.
type away struct {
	store.Store
	off *atomic.Bool
	at  string
}

var errAway = errors.New("the bucket is away")

func (a away) Get(ctx context.Context, key string) ([]byte, error) {
	if a.off.Load() {
		return nil, errAway
	}
	return a.Store.Get(ctx, key)
}

func (a away) Stat(ctx context.Context, key string) (store.Object, error) {
	if a.off.Load() {
		return store.Object{}, errAway
	}
	return a.Store.Stat(ctx, key)
}

// A place that is away is said to be, and is there again when it is back.
func TestStoreThatIsAway(t *testing.T) {
	dir := t.TempDir()
	must(t, makeSweep(t, store.Dir(filepath.Join(dir, "x.sweep")), 1, firstOnly).Lease().Release())
	var off atomic.Bool
	a := &app.App{Warn: func(string) {}, OpenStore: func(ctx context.Context, where string) (store.Store, error) {
		st, err := store.Open(ctx, where)
		return away{st, &off, where}, err
	}}
	s, err := New(t.Context(), Config{App: a, Roots: []string{dir}, Access: Access{Auth: None, Base: "/"}})
	must(t, err)
	path := "/s/" + idOf(t, s)
	if code, _, body := get(s, path); code != http.StatusOK {
		t.Fatalf("%d %s", code, body)
	}
	off.Store(true)
	time.Sleep(1100 * time.Millisecond)
	if code, _, body := get(s, path); code != http.StatusBadGateway || !strings.Contains(body, "away") {
		t.Errorf("away: %d %s", code, body)
	}
	if code, _, _ := get(s, "/view/"); code != http.StatusOK {
		t.Errorf("the folder: %d", code)
	}
	off.Store(false)
	if code, _, _ := get(s, path); code != http.StatusOK {
		t.Errorf("back: %d", code)
	}
}

// A notebook with a version at hand is not read for each of its frames, and its
// parts are what the page names.
func TestParts(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "hostile.ipynb"), []byte(hostileNotebook), 0o666))
	s := serverOf(t, Access{}, dir)
	_, _, body := get(s, "/view/hostile.ipynb")
	address := strings.SplitN(strings.SplitN(body, `<iframe`, 2)[1], `src="`, 2)[1]
	address = strings.ReplaceAll(address[:strings.IndexByte(address, '"')], "&amp;", "&")
	if code, h, part := get(s, address); code != http.StatusOK || h.Get("X-Frame-Options") != "" || !strings.Contains(part, "say(") {
		t.Errorf("%s: %d %v", address, code, h)
	}
	for _, bad := range []string{"0-0-html", "1-99-html", "99-0-html", "1-0-png", "1-0-..%2f", "1-0", "x", "-1-0-html", "1-0-svg%2Bxml"} {
		if code, _, part := get(s, "/part/"+bad+"/hostile.ipynb"); code != http.StatusNotFound {
			t.Errorf("%s: %d %s", bad, code, part)
		}
	}
	if s.books.Len() != 1 {
		t.Errorf("%d notebooks are kept", s.books.Len())
	}
	var twin map[string]any
	_, _, body = get(s, "/api/v1/view/hostile.ipynb")
	must(t, json.Unmarshal([]byte(body), &twin))
}

// A cell that is different in every run is shown with a few of them.
func TestManyGroups(t *testing.T) {
	dir := t.TempDir()
	must(t, makeSweep(t, store.Dir(filepath.Join(dir, "x.sweep")), 30, func(i int, _ sweep.RunState) outcome.Outcome {
		return outcome.Outcome{Status: outcome.Failed, Kind: outcome.Exception, Cell: 2, Ename: "ValueError", Evalue: fmt.Sprintf("it is %c%d", 'a'+i%26, i), Reason: "x"}
	}).Lease().Release())
	s := serverOf(t, Access{}, dir)
	var body string
	for range 100 {
		if _, _, body = get(s, "/s/"+idOf(t, s)+"/cells"); !strings.Contains(body, "being compared") {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if n := strings.Count(body, `<article class="group">`); n != mostGroups || !strings.Contains(body, "There are 60 groups") {
		t.Errorf("%d groups are shown: %.3000s", n, body)
	}
}

// A table that is cut off, empty, or that another program wrote, is said to be no
// table, or shown.
func TestBadTables(t *testing.T) {
	s, dir := tides(t)
	results := filepath.Join(dir, "tides.sweep", "results")
	whole, err := os.ReadFile(filepath.Join(results, "runs.parquet"))
	must(t, err)
	for name, text := range map[string]string{"cut": string(whole[:len(whole)/2]), "empty": "", "text": "a,b\n1,2\n", "magic": "PAR1PAR1"} {
		must(t, os.WriteFile(filepath.Join(results, name+".parquet"), []byte(text), 0o666))
	}
	id := idOf(t, s)
	for name, want := range map[string]int{"runs": 200, "cut": 400, "empty": 400, "text": 400, "magic": 400, "nowhere": 404} {
		if code, _, body := get(s, "/s/"+id+"/tables/"+name); code != want || want == 400 && !strings.Contains(body, "his table cannot be explored") {
			t.Errorf("%s: %d %.300s", name, code, body)
		}
	}
	if code, _, body := get(s, "/s/"+id+"/tables"); code != 200 || strings.Count(body, "<tr>")+strings.Count(body, "<tr ") < 5 {
		t.Errorf("the list: %d %s", code, body)
	}
}

// A clock that was set back makes no page say that something took less than no time,
// or is still to come.
func TestClockSetBack(t *testing.T) {
	dir := t.TempDir()
	sw := makeSweep(t, store.Dir(filepath.Join(dir, "x.sweep")), 2, func(int, sweep.RunState) outcome.Outcome { return outcome.Outcome{} })
	for _, st := range sw.Runs() {
		_, doc, err := sw.TemplateOf(t.Context(), st.Run)
		must(t, err)
		a, err := sw.Lease().Begin(t.Context(), st.Run.ID, sweep.Began{Host: "here"})
		must(t, err)
		ahead := time.Now().Add(49 * time.Hour)
		must(t, a.End(t.Context(), doc, outcome.Outcome{Status: outcome.Succeeded, Start: ahead, End: ahead.Add(-time.Hour), Fingerprint: sw.Current(st.Run)}, nil))
	}
	must(t, sw.Lease().Release())
	s := serverOf(t, Access{}, dir)
	id := idOf(t, s)
	for _, path := range []string{"/", "/s/" + id, "/s/" + id + "/runs", "/s/" + id + "/runs/" + sw.Runs()[0].Run.ID} {
		code, _, body := get(s, path)
		if code == http.StatusSeeOther {
			continue
		}
		if code != http.StatusOK {
			t.Errorf("%s: %d", path, code)
		}
		for _, wrong := range []string{"-1h", "−1 h", "-1 h", "−60", "-3600", "in -", "-49", "−49"} {
			if strings.Contains(body, wrong) {
				t.Errorf("%s says %q", path, wrong)
			}
		}
	}
}

// What all runs have is found once, and no question about them changes it for
// another.
func TestQuestionsDoNotDisturbEachOther(t *testing.T) {
	s, _ := tides(t)
	path := "/api/v1/s/" + idOf(t, s) + "/runs"
	_, _, before := get(s, path)
	for _, query := range []string{"?sort=-y", "?sort=x&group=region", "?cols=y&pin=x", "?plot=dots&x=y&y=x", "?where=x+>+3&sort=-x"} {
		if code, _, body := get(s, path+strings.ReplaceAll(query, ">", "%3E")); code != http.StatusOK || body == before && !strings.Contains(query, "plot") {
			t.Errorf("%s: %d", query, code)
		}
		if _, _, after := get(s, path); after != before {
			t.Errorf("after %s the page is another", query)
		}
	}
}
