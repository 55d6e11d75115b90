package kerneltest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Python returns an interpreter with ipykernel: the one that
// FANOUT_TEST_PYTHON names, or that of the repository's .venv. Without one the
// test is skipped, or fails where FANOUT_TEST_REQUIRE names ipykernel.
func Python(t testing.TB) string {
	t.Helper()
	if p := os.Getenv("FANOUT_TEST_PYTHON"); p != "" {
		return p
	}
	for _, root := range []string{"../..", "../../..", "../../../.."} {
		p, err := filepath.Abs(root + "/.venv/bin/python")
		if err != nil {
			continue
		}
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	if strings.Contains(os.Getenv("FANOUT_TEST_REQUIRE"), "ipykernel") {
		t.Fatal("no Python with ipykernel: set FANOUT_TEST_PYTHON")
	}
	t.Skip("no Python with ipykernel: set FANOUT_TEST_PYTHON")
	return ""
}
