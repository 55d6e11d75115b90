// Package pythontest asks Python for what is true, in tests. A test is skipped
// where there is no Python, or fails when FANOUT_TEST_REQUIRE wants one.
package pythontest

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Path returns the Python that tests use: FANOUT_TEST_PYTHON, the module's own
// environment, or python3.
func Path(t *testing.T) string {
	t.Helper()
	if p := os.Getenv("FANOUT_TEST_PYTHON"); p != "" {
		return p
	}
	for dir := "."; ; dir = filepath.Join(dir, "..") {
		if p, err := filepath.Abs(filepath.Join(dir, ".venv/bin/python")); err == nil {
			if _, err := os.Stat(p); err == nil {
				return p
			}
		}
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil || len(dir) > 100 {
			break
		}
	}
	if p, err := exec.LookPath("python3"); err == nil {
		return p
	}
	if strings.Contains(os.Getenv("FANOUT_TEST_REQUIRE"), "ipykernel") {
		t.Fatal("Python is required and not there: set FANOUT_TEST_PYTHON")
	}
	t.Skip("no Python")
	return ""
}

// With returns a Python that can import a package, or skips the test.
func With(t *testing.T, pkg string) string {
	t.Helper()
	p := Path(t)
	if exec.Command(p, "-c", "import "+pkg).Run() != nil {
		t.Skipf("%s cannot import %s", p, pkg)
	}
	return p
}

// Ask runs a Python program on a JSON value and reads a JSON value from it.
func Ask(t *testing.T, python, program string, in []byte, out any) {
	t.Helper()
	cmd := exec.Command(python, "-W", "ignore", "-c", program)
	cmd.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	b, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	if err := json.Unmarshal(b, out); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
}
