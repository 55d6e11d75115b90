package store

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A pipe in the place of a folder is not waited for, whatever is asked of it.
func TestPipeAsFolder(t *testing.T) {
	root := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(root, "log"), 0o666); err != nil {
		t.Skip(err)
	}
	s := Dir(root)
	listed := func(what string, all func(func(Object, error) bool)) (errs []string) {
		for o, err := range all {
			if err != nil {
				errs = append(errs, err.Error())
			} else {
				t.Errorf("%s lists %s", what, o.Key)
			}
		}
		return errs
	}
	if errs := listed("Level", s.Level(ctx, "log/")); len(errs) != 1 || !strings.Contains(errs[0], "log/") {
		t.Errorf("Level: %v", errs)
	}
	listed("List", s.List(ctx, "log/"))
	if _, err := s.Get(ctx, "log/000001/fanout.jsonl"); err == nil {
		t.Error("Get: no error")
	}
	if err := s.Put(ctx, "log/000001/fanout.jsonl", nil, Cached); err == nil {
		t.Error("Put: no error")
	}
	if _, err := s.Append(ctx, "log/x.jsonl"); err == nil {
		t.Error("Append: no error")
	}
}
