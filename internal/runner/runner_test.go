package runner

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
)

func TestMain(m *testing.M) {
	kerneltest.Main()
	os.Exit(m.Run())
}

// testPython is an interpreter with ipykernel.
func testPython(t *testing.T) string {
	t.Helper()
	if p := os.Getenv("FANOUT_TEST_PYTHON"); p != "" {
		return p
	}
	p, err := filepath.Abs("../../.venv/bin/python")
	if err == nil {
		if _, err = os.Stat(p); err == nil {
			return p
		}
	}
	if strings.Contains(os.Getenv("FANOUT_TEST_REQUIRE"), "ipykernel") {
		t.Fatal("no Python with ipykernel: set FANOUT_TEST_PYTHON")
	}
	t.Skip("no Python: set FANOUT_TEST_PYTHON")
	return ""
}
