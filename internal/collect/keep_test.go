package collect

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/table"
)

// collectKept collects a sweep, keeps what was read, and returns how many
// notebooks were opened and the files.
func collectKept(t testing.TB, s *sweep.Sweep) (int, map[string][]byte) {
	t.Helper()
	r, err := Sweep(t.Context(), s, Options{TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	files := written(t, r)
	if err := r.Keep(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	return r.kept.opened(), files
}

func packsOf(t testing.TB, s *sweep.Sweep) (keys []string) {
	t.Helper()
	for o, err := range s.Store().List(context.Background(), sweep.PrefixCollected) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, o.Key)
	}
	return keys
}

func framed(t testing.TB, n int) string {
	return withOutputs("", glued("auc", fmt.Sprint(n))+","+display(`{"image/png":"iVBORw0KGgo="}`, `{"scrapbook":{"name":"plot","data":false,"display":true}}`)+","+
		display(`{"application/scrapbook.scrap.pandas+json":{"name":"rows","data":"`+frameBase64(t, n)+`","encoder":"pandas","version":1}}`, `{}`))
}

// What a collect read is not read again, whatever happens to the cache, and the
// tables are the same bytes.
func TestGrowing(t *testing.T) {
	const runs = 120
	s, dir := newSweep(t, runs)
	for i := range 40 {
		finishRun(t, s, fmt.Sprintf("r%d", i), framed(t, i), outcome.Succeeded)
	}
	if opened, _ := collectKept(t, s); opened != 40 {
		t.Errorf("the first collect opened %d notebooks, want 40", opened)
	}
	for i := 40; i < 60; i++ { // as nights come
		finishRun(t, s, fmt.Sprintf("r%d", i), framed(t, i), outcome.Succeeded)
		if opened, _ := collectKept(t, s); opened != 1 {
			t.Errorf("with one more run %d notebooks were opened, want 1", opened)
		}
	}
	if n := len(packsOf(t, s)); n > manyPacks+1 {
		t.Errorf("%d small packs", n)
	}
	opened, grown := collectKept(t, s)
	if opened != 0 {
		t.Errorf("%d notebooks were opened for nothing", opened)
	}
	path := filepath.Join(dir, filepath.FromSlash(sweep.RunKey("r7")))
	edit(t, path, `"data":7`, `"data":77`)
	opened, edited := collectKept(t, s)
	if opened != 1 || bytes.Equal(grown["runs.parquet"], edited["runs.parquet"]) {
		t.Errorf("after an edit %d notebooks were opened, want 1, and a new table", opened)
	}
	for _, key := range packsOf(t, s) {
		file := filepath.Join(dir, filepath.FromSlash(key))
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, text[:len(text)/2], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	opened, broken := collectKept(t, s)
	if opened == 0 || opened == 60 {
		t.Errorf("half of the cache is gone: %d notebooks were opened", opened)
	}
	if err := os.RemoveAll(filepath.Join(dir, "collected")); err != nil {
		t.Fatal(err)
	}
	opened, bare := collectKept(t, s)
	if opened != 60 {
		t.Errorf("without the cache %d notebooks were opened, want 60", opened)
	}
	for name := range bare {
		if !bytes.Equal(edited[name], broken[name]) || !bytes.Equal(edited[name], bare[name]) {
			t.Errorf("%s depends on what was kept", name)
		}
	}
}

// edit changes a notebook and its time.
func edit(t testing.TB, path, old, new string) {
	t.Helper()
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil { // it may be a link to the attempt
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(doc), strings.Replace(old, ":", ": ", 1), new)
	text = strings.ReplaceAll(text, old, new)
	if text == string(doc) {
		t.Fatalf("%s is not in %s", old, path)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, time.Now(), time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
}

// frameBase64 is a frame of n+1 rows.
func frameBase64(t testing.TB, n int) string {
	t.Helper()
	var rows [][]any
	for i := range n + 1 {
		rows = append(rows, []any{int64(i), float64(n) / 2})
	}
	table, err := table.Build([]table.ColumnSpec{{Name: "i", Type: table.Int}, {Name: "x", Type: table.Float}}, rows)
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := table.WriteParquet(&file); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(file.Bytes())
}

// opened counts the notebooks that had to be opened.
func (k *keeper) opened() int {
	n := 0
	for _, r := range k.known {
		if r.pack == "" {
			n++
		}
	}
	return n
}
