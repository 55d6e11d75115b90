package draft

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/fanout-dev/fanout/internal/glob"
	"github.com/fanout-dev/fanout/internal/sweep"
)

var placeholder = regexp.MustCompile(`\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// An inputDigester digests what runs read. It looks once at the files of a
// pattern that several runs share.
type inputDigester struct {
	dir      string
	patterns []string
	seen     map[string][]byte // by pattern, filled in
	lacking  map[string]error  // pattern → why no run so far could fill it in
	used     map[string]bool   // patterns that a run could fill in
}

func (d *Draft) inputDigester() *inputDigester {
	return &inputDigester{dir: d.Dir, patterns: d.Spec.Inputs, seen: map[string][]byte{}, lacking: map[string]error{}, used: map[string]bool{}}
}

// noteInputs plans the state of what a run reads.
func (d *Draft) noteInputs(inputs *inputDigester, r sweep.Run) (err error) {
	if len(d.Spec.Inputs) > 0 {
		d.Inputs[r.ID], err = inputs.digest(r)
	}
	return err
}

// digest digests size and time of the files that a run's patterns match, and
// of those in the folders they match. A pattern that matches nothing counts as
// such, so a file that appears later makes the run stale.
func (d *inputDigester) digest(r sweep.Run) (string, error) {
	h := sha256.New()
	for _, pattern := range d.patterns {
		name, err := fillIn(pattern, r)
		if err != nil && r.Step() != "" {
			d.lacking[pattern] = err // other steps have what it names
			continue
		}
		d.used[pattern] = true
		if err == nil && d.seen[name] == nil {
			d.seen[name], err = d.look(name)
		}
		if err != nil {
			return "", fmt.Errorf("inputs: %w", err)
		}
		h.Write(d.seen[name])
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// unused reports a pattern that no step's runs could fill in.
func (d *inputDigester) unused() error {
	for _, pattern := range d.patterns {
		if err := d.lacking[pattern]; err != nil && !d.used[pattern] {
			return fmt.Errorf("inputs: %w", err)
		}
	}
	return nil
}

// look lists the files of a pattern as they are now. URIs count only by name,
// and files of fanout only where a pattern asks for those of another sweep.
func (d *inputDigester) look(pattern string) ([]byte, error) {
	b := fmt.Appendf(nil, "pattern %q\n", pattern)
	if strings.Contains(pattern, "://") {
		return b, nil
	}
	files, err := glob.Tree(d.dir, pattern)
	for _, name := range files {
		file := filepath.FromSlash(name)
		if !filepath.IsAbs(file) {
			file = filepath.Join(d.dir, file)
		}
		if info, err := os.Stat(file); err == nil && (!isOwn(name) || isOwn(pattern+"/")) {
			rel, _ := filepath.Rel(d.dir, file)
			b = fmt.Appendf(b, "file %q %d %d\n", rel, info.Size(), info.ModTime().UnixNano())
		}
	}
	return b, err
}

// fillIn replaces {name} by a run's parameters and labels.
func fillIn(pattern string, r sweep.Run) (string, error) {
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
		return "", fmt.Errorf("%q: no parameter or axis is called %s", pattern, missing)
	}
	return out, nil
}
