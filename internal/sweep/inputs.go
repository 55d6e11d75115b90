package sweep

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

var placeholder = regexp.MustCompile(`\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// digestInputs digests what a run reads: size and time of the files its
// patterns match. A pattern that matches nothing counts as such, so a file
// that appears later makes the run stale. URIs count by name alone.
func digestInputs(dir string, patterns []string, r Run) (string, error) {
	h := sha256.New()
	for _, pattern := range patterns {
		name, err := fillIn(pattern, r)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "pattern %q\n", name)
		if strings.Contains(name, "://") {
			continue
		}
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, filepath.FromSlash(name))
		}
		files, err := filepath.Glob(name)
		if err != nil {
			return "", fmt.Errorf("inputs: %q: %w", pattern, err)
		}
		for _, f := range files {
			if info, err := os.Stat(f); err == nil {
				rel, _ := filepath.Rel(dir, f)
				fmt.Fprintf(h, "file %q %d %d\n", rel, info.Size(), info.ModTime().UnixNano())
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// fillIn puts a run's parameters and labels in the place of {name}.
func fillIn(pattern string, r Run) (string, error) {
	values := map[string]string{}
	for _, b := range append(append(r.Params[:0:0], r.Params...), r.Labels...) {
		values[b.Name] = b.Value.String()
		if s, ok := b.Value.Any().(string); ok {
			values[b.Name] = s
		}
	}
	var missing string
	out := placeholder.ReplaceAllStringFunc(pattern, func(m string) string {
		v, ok := values[m[1:len(m)-1]]
		if !ok {
			missing = m
		}
		return v
	})
	if missing != "" {
		return "", fmt.Errorf("inputs: %q: no parameter or axis is called %s", pattern, missing)
	}
	return out, nil
}
