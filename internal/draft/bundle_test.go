package draft_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/draft"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// TestKit takes a sweep file that reaches above its folder to an empty machine
// and plans the same runs there.
func TestBundle(t *testing.T) {
	home := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		file := filepath.Join(home, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("a/t.ipynb", `{"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": {"name": "python3", "language": "python"}}, "cells": [
 {"cell_type": "code", "id": "a", "metadata": {"tags": ["parameters"]}, "source": "x = 0", "outputs": [], "execution_count": null},
 {"cell_type": "code", "id": "b", "metadata": {}, "source": "import helper", "outputs": [], "execution_count": null}]}`)
	write("a/b/helper.py", "import deeper\n")
	write("a/b/deeper.py", "")
	write("a/b/rows.csv", "x\n1\n2\n")
	write("a/b/data/one.txt", "1")
	write("a/own.ipynb", "{}")
	write("a/b/s.yaml", "template: ../t.ipynb\nfrom: rows.csv\nfiles: [data/*]\n")
	d := draftAt(t, filepath.Join(home, "a", "b", "s.yaml"))
	k, err := d.Bundle("../own.ipynb")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range k.Files {
		names = append(names, f.Name)
	}
	want := []string{"b/s.yaml", "own.ipynb", "t.ipynb", "b/rows.csv", "b/data/one.txt", "b/deeper.py", "b/helper.py"}
	if diff := cmp.Diff(want, names); diff != "" || k.Spec != "b/s.yaml" || len(k.Outside) > 0 {
		t.Errorf("%s, outside %v (-want +got):\n%s", k.Spec, k.Outside, diff)
	}

	st := store.Dir(filepath.Join(t.TempDir(), "s.sweep"))
	s, err := sweep.Init(t.Context(), st, "s")
	if err != nil {
		t.Fatal(err)
	}
	key, err := k.Put(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := k.Put(t.Context(), s); err != nil || again != key {
		t.Errorf("the same bundle again: %s, %v", again, err)
	}
	there := filepath.Join(t.TempDir(), "bundle")
	if err := draft.Unbundle(t.Context(), st, key, there); err != nil {
		t.Fatal(err)
	}
	e := draftAt(t, filepath.Join(there, filepath.FromSlash(k.Spec)))
	if diff := cmp.Diff(d.Templates, e.Templates); diff != "" {
		t.Errorf("templates (-here +there):\n%s", diff)
	}
	if diff := cmp.Diff(d.Files, e.Files); diff != "" {
		t.Errorf("frozen files (-here +there):\n%s", diff)
	}
}

func draftAt(t *testing.T, file string) *draft.Draft {
	t.Helper()
	d, err := draft.Read(t.Context(), draft.Source{File: file, AsOf: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return d
}
