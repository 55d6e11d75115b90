package notebook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", path))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustDecode(t testing.TB, b []byte) *Notebook {
	t.Helper()
	n, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// numberIDs names cells as the goldens do.
func numberIDs(n *Notebook) {
	for i, c := range n.Cells {
		c.ID = fmt.Sprintf("cell-%d", i)
		c.Touch()
	}
}

func docs(t testing.TB) []string {
	t.Helper()
	all, err := filepath.Glob("testdata/docs/*.ipynb")
	if err != nil || len(all) < 10 {
		t.Fatal(all, err)
	}
	for i := range all {
		all[i] = strings.TrimSuffix(filepath.Base(all[i]), ".ipynb")
	}
	return all
}

func TestEncodeAsNbformat(t *testing.T) {
	for _, name := range docs(t) {
		t.Run(name, func(t *testing.T) {
			in := read(t, "docs/"+name+".ipynb")
			before := bytes.Clone(in)
			n := mustDecode(t, in)
			ids := make([]string, len(n.Cells))
			for i, c := range n.Cells {
				ids[i] = c.ID
			}
			first := n.Encode()
			if again := mustDecode(t, in).Encode(); !bytes.Equal(first, again) {
				t.Error("decoding twice gives two encodings")
			}
			if same := n.Encode(); !bytes.Equal(first, same) {
				t.Error("encoding from memory differs")
			}
			if round := mustDecode(t, first).Encode(); !bytes.Equal(first, round) {
				t.Errorf("a second round trip changes the text:\n%s", cmp.Diff(string(first), string(round)))
			}
			if clone := n.Clone().Encode(); !bytes.Equal(first, clone) {
				t.Error("a clone encodes differently")
			}
			numberIDs(n)
			if diff := cmp.Diff(string(read(t, "docs/"+name+".golden")), string(n.Encode())); diff != "" {
				t.Errorf("-nbformat +ours:\n%s", diff)
			}
			if !bytes.Equal(in, before) {
				t.Error("the input was changed")
			}
		})
	}
}

func TestEncodeAfterTouch(t *testing.T) {
	n := mustDecode(t, read(t, "docs/plain.ipynb"))
	n.Encode()
	n.Cells[1].Source = "print(2)"
	if bytes.Contains(n.Encode(), []byte("print(2)")) {
		t.Error("an untouched cell was encoded again")
	}
	n.Cells[1].Touch()
	if !bytes.Contains(n.Encode(), []byte("print(2)")) {
		t.Error("a touched cell was not encoded again")
	}
}

func TestIDs(t *testing.T) {
	n := mustDecode(t, read(t, "docs/minor0.ipynb"))
	seen := map[string]bool{}
	for _, c := range n.Cells {
		if len(c.ID) != 8 || seen[c.ID] {
			t.Errorf("id %q of %q", c.ID, c.Source)
		}
		seen[c.ID] = true
	}
	twice := mustDecode(t, []byte(`{"cells":[{"cell_type":"code","id":"x","source":"a"},{"cell_type":"code","id":"x","source":"b"}],"nbformat":4,"nbformat_minor":5,"metadata":{}}`))
	if a, b := twice.Cells[0].ID, twice.Cells[1].ID; a != "x" || b == "x" || b == "" {
		t.Errorf("ids %q, %q", a, b)
	}
}

// TestIDsOfEqualCells: each of many equal cells has an id of its own, the first
// ones always the same, without trying those of all cells before it.
func TestIDsOfEqualCells(t *testing.T) {
	const cell = `{"cell_type":"code","source":"x","metadata":{},"outputs":[],"execution_count":null},`
	n, err := Decode([]byte(`{"cells":[` + strings.TrimSuffix(strings.Repeat(cell, 50_000), ",") + `],"metadata":{},"nbformat":4,"nbformat_minor":5}`))
	if err != nil {
		t.Fatal(err)
	}
	ids, used := map[string]bool{}, map[string]bool{}
	for i, c := range n.Cells {
		ids[c.ID] = true
		if i < 100 {
			if want, _ := freshID(used, "code\x00x", 0); c.ID != want {
				t.Fatalf("the id of cell %d is %s, want %s", i, c.ID, want)
			}
		}
	}
	if len(ids) != 50_000 {
		t.Errorf("%d ids", len(ids))
	}
}

func TestDecodeErrors(t *testing.T) {
	whole := `{"cells": [{"cell_type": "code", "source": "x"}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}`
	for name, c := range map[string]struct{ in, want string }{
		"empty":          {" \n", "not a notebook: it is empty"},
		"text":           {"import os", "not a notebook: it begins with 'i'"},
		"list":           {"[1]", "not a notebook: it begins with a list"},
		"other json":     {`{"name": "x"}`, "not a notebook: it has no field nbformat"},
		"no cells":       {`{"nbformat": 4}`, "not a notebook: it has no cells"},
		"no type":        {`{"cells": [{"source": ""}], "nbformat": 4}`, "cell 1 has no cell_type"},
		"old":            {`{"worksheets": [], "nbformat": 2}`, "nbformat 2 is too old"},
		"new":            {`{"cells": [], "nbformat": 5}`, "nbformat 5 is newer"},
		"place":          {"{\"cells\":\n [{\"é\": x}]}", "line 2 column 9: \"x\" is not JSON"},
		"source":         {"{\"cells\": [\n{\"source\": 3}]}", "line 2 column 12: want a text, found a number"},
		"comma":          {`{"cells": [] "x"}`, "line 1 column 14: want a comma or '}', found a text"},
		"after":          {whole + "\n}", "line 2 column 1: more text follows the end"},
		"not UTF-8":      {"{\"a\": \"\xff\"}", "line 1 column 8: this is not UTF-8"},
		"deep":           {`{"a": ` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + `}`, "nested more than"},
		"escape":         {`{"a": "\q"}`, "line 1 column 8"},
		"control":        {"{\"a\": \"x\ny\"}", "control character 0x0a"},
		"bad number":     {`{"a": 01}`, `"01" is not JSON`},
		"merge conflict": {"<<<<<<< HEAD\n" + whole, "not a notebook: it begins with '<'"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Decode([]byte(c.in))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant …%s…", err, c.want)
			}
		})
	}
	for i := range whole {
		if i == 0 {
			continue
		}
		if _, err := Decode([]byte(whole[:i])); err == nil || !strings.Contains(err.Error(), "truncated") {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
	mustDecode(t, []byte("\ufeff"+whole))
}

func TestPayloadsAreShared(t *testing.T) {
	big := strings.Repeat("iVBORw0K", 1<<17)
	in := []byte(`{"cells":[{"cell_type":"code","id":"a","source":"","metadata":{},"outputs":[{"output_type":"display_data","metadata":{},"data":{"image/png":"` + big + `"}}]}],"nbformat":4,"nbformat_minor":5,"metadata":{}}`)
	n := mustDecode(t, in)
	n.Encode()
	if got := allocated(func() { mustDecode(t, in) }); got > 1<<16 {
		t.Errorf("decoding 1 MiB of image allocates %d bytes", got)
	}
	if got := allocated(func() { n.Cells[0].Touch(); n.Encode() }); got > uint64(len(big))+1<<16 {
		t.Errorf("encoding 1 MiB of image allocates %d bytes", got)
	}
}

// allocated is how many bytes one call of f allocates, on the average of ten.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 10 {
		f()
	}
	runtime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) / 10
}

func TestValuesOfOtherTypes(t *testing.T) {
	n := &Notebook{Minor: 5, Metadata: map[string]any{
		"i": 3, "f": 1.0, "e": 1e16, "s": []string{"a"}, "raw": json.RawMessage(`{"b":1,"a":[2.50]}`), "u": uint8(4), "st": struct{ X int }{5},
		"bad": make(chan int) == nil, "n": json.Number("nonsense"),
	}}
	want := "{\n \"cells\": [],\n \"metadata\": {\n  \"bad\": false,\n  \"e\": 1e+16,\n  \"f\": 1.0,\n  \"i\": 3,\n  \"n\": \"nonsense\",\n  \"raw\": {\n   \"a\": [\n    2.50\n   ],\n   \"b\": 1\n  },\n  \"s\": [\n   \"a\"\n  ],\n  \"st\": {\n   \"X\": 5\n  },\n  \"u\": 4\n },\n \"nbformat\": 4,\n \"nbformat_minor\": 5\n}"
	if diff := cmp.Diff(want, string(n.Encode())); diff != "" {
		t.Error(diff)
	}
}

func FuzzDecode(f *testing.F) {
	for _, name := range docs(f) {
		f.Add(read(f, "docs/"+name+".ipynb"))
	}
	f.Add([]byte(`{"cells":[{"cell_type":"code","source":["a",3]}],"nbformat":4}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := Decode(b)
		if err != nil {
			return
		}
		text := n.Encode()
		again, err := Decode(text)
		if err != nil {
			t.Fatalf("our own text: %v\n%s", err, text)
		}
		if second := again.Encode(); !bytes.Equal(text, second) {
			t.Fatalf("not stable:\n%s", cmp.Diff(string(text), string(second)))
		}
		n.Scraps()
		n.Verdict()
		n.CodeDigest()
		n.Imports()
		n.Parameters()
	})
}
