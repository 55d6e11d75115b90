package draft

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestFilesThatNeverEnd: a pipe, a device and a file larger than any, wherever a sweep
// file names one, is an error that says so: it is neither waited for nor read.
func TestFilesThatNeverEnd(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	notebook := `{"nbformat":4,"nbformat_minor":5,"metadata":{"kernelspec":{"name":"python3","language":"python"}},"cells":[{"cell_type":"code","id":"a","source":"x = 1","metadata":{"tags":["parameters"]},"outputs":[],"execution_count":null}]}`
	if err := os.WriteFile(at("t.ipynb"), []byte(notebook), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, ext := range []string{"ipynb", "csv", "parquet"} {
		if err := syscall.Mkfifo(at("pipe."+ext), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at("huge."+ext), nil, 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(at("huge."+ext), 16<<30); err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range []string{
		"template: pipe.ipynb\ngrid: {x: [1]}", "template: /dev/zero\ngrid: {x: [1]}", "template: huge.ipynb\ngrid: {x: [1]}",
		"template: t.ipynb\nfrom: pipe.csv", "template: t.ipynb\nfrom: huge.csv", "template: t.ipynb\nfrom: pipe.parquet", "template: t.ipynb\nfrom: huge.parquet", "template: t.ipynb\nfrom: /dev/zero",
		"template: t.ipynb\nfiles: [pipe.csv]\ngrid: {x: [1]}", "template: t.ipynb\nfiles: [huge.csv]\ngrid: {x: [1]}",
	} {
		if err := os.WriteFile(at("s.yaml"), []byte(text+"\n"), 0o666); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		d, err := Read(ctx, Source{File: at("s.yaml"), AsOf: time.Now()})
		if err == nil {
			err = d.Expand(ctx)
		}
		stop()
		if said := fmt.Sprint(err); !strings.Contains(said, "is not a regular file") && !strings.Contains(said, "is the limit") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
