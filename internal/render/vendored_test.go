package render

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/fanout-dev/fanout/templates"
)

// Files of other projects are those that vendor/README.md names, by digest.
func TestVendored(t *testing.T) {
	text, err := os.ReadFile("../../templates/vendor/README.md")
	if err != nil {
		t.Fatal(err)
	}
	files := []string{"temml.min.js"}
	for _, v := range vendored {
		files = append(files, v.file)
	}
	for _, file := range files {
		b, err := templates.Vendored(file)
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("| %x |", sha256.Sum256(b)); !strings.Contains(string(text), "| "+file+" |") || !strings.Contains(string(text), want) {
			t.Errorf("vendor/README.md does not list %s with the digest %s", file, want)
		}
		if _, err := os.Stat("../../templates/vendor/LICENSE-" + strings.TrimSuffix(file, ".min.js") + ".txt"); err != nil {
			t.Error(err)
		}
	}
}

// So are grammars.
func TestVendoredLexers(t *testing.T) {
	text, err := os.ReadFile("../../templates/vendor/README.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := fs.Glob(templates.Lexers, "vendor/lexers/*")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		b, err := templates.Lexers.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("| %s | %x |", path.Base(file), sha256.Sum256(b)); !strings.Contains(string(text), want) {
			t.Errorf("vendor/README.md lacks %s", want)
		}
	}
}
