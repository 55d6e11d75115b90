package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/cmd/fanout/internal/manual"
)

// TestManualPages checks that every command that help shows has a page, with its
// flags, and that two writings are the same bytes.
func TestManualPages(t *testing.T) {
	date := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
	first, second := t.TempDir(), t.TempDir()
	for _, dir := range []string{first, second} {
		if err := manual.Write((&cli{}).rootCommand(), dir, "1.2.3", date); err != nil {
			t.Fatal(err)
		}
	}
	visit((&cli{}).rootCommand(), func(cmd *cobra.Command) {
		name := strings.ReplaceAll(cmd.CommandPath(), " ", "-") + ".1"
		page, err := os.ReadFile(filepath.Join(first, name))
		if err != nil {
			t.Error(err)
			return
		}
		again, err := os.ReadFile(filepath.Join(second, name))
		if err != nil || string(again) != string(page) {
			t.Errorf("%s differs from one writing to the next (%v)", name, err)
		}
		if cmd.Name() == "run" && !strings.Contains(string(page), `--dry-run`) {
			t.Errorf("%s does not have --dry-run", name)
		}
		if text := string(page); !strings.Contains(text, `"Jan 2026" "fanout 1.2.3"`) || strings.Contains(text, "Auto generated") {
			t.Errorf("%s has no date or version, or says by what it was written: %.300s", name, text)
		}
	})
}
