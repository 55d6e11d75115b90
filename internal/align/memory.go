package align

import (
	"bytes"
	"compress/flate"
	"encoding/gob"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fanout-dev/fanout/internal/align/internal/delta"
)

// A Memory is a file with what was read of notebooks, so that they need not be
// read again to be compared: digests of their cells, and the numbers in them. It
// may be deleted at any time, and one that another build of the program wrote, or
// that cannot be read, is none. Only runs with a Mark are remembered.
type Memory struct{ File string }

// Limits of what is remembered.
const (
	maxMemory   = 64 << 20 // bytes, before they are packed
	maxMemories = 64       // files of one folder
)

// A recall is a Memory while notebooks are compared.
type recall struct {
	file   string
	mu     sync.Mutex
	noted  map[string]*noted // by mark
	learns bool              // there is something new
}

// noted is what is remembered of one notebook. Its fields are exported for gob.
type noted struct {
	Failed     string
	Start, End time.Time
	Shape      [16]byte
	Cells      []notedCell
}

type notedCell struct {
	Index, Number     int
	ID, Title, Source string
	Code, Output      []byte
	Reached           bool
	Raised            string
	Print             *notedPrint // nil: it was not needed
}

type notedPrint struct {
	Digests []byte // plain, clocked, of the frame, and of pictures
	Numbers []float64
}

// memoryOf is the content of the file. Texts holds those that many cells have.
type memoryOf struct {
	Build string
	Texts []string
	Noted map[string]*noted
}

// build tells two builds of the program apart: what one leaves out of account,
// another may not.
var build = sync.OnceValue(func() string {
	program, err := os.Executable()
	if err != nil {
		return ""
	}
	info, err := os.Stat(program)
	if err != nil {
		return ""
	}
	return fmt.Sprint(info.Size(), info.ModTime().UnixNano())
})

// open reads what is remembered; nil where nothing is to be.
func (m *Memory) open() *recall {
	if m == nil || m.File == "" || build() == "" {
		return nil
	}
	r := &recall{file: m.File, noted: map[string]*noted{}}
	packed, err := os.ReadFile(m.File)
	if err != nil {
		return r
	}
	var all memoryOf
	text := io.LimitReader(flate.NewReader(bytes.NewReader(packed)), maxMemory)
	if gob.NewDecoder(text).Decode(&all) != nil || all.Build != build() || !all.whole() {
		return r
	}
	r.noted = all.Noted
	now := time.Now()
	os.Chtimes(m.File, now, now) // it is used
	return r
}

// whole puts the shared texts back, and reports whether all is there.
func (m *memoryOf) whole() bool {
	for _, n := range m.Noted {
		if n == nil {
			return false
		}
		for i := range n.Cells {
			c := &n.Cells[i]
			var at int
			if _, err := fmt.Sscan(c.Source, &at); err != nil || at < 0 || at >= len(m.Texts) {
				return false
			}
			c.Source = m.Texts[at]
			if len(c.Code) != 16 || len(c.Output) != 16 || c.Print != nil && (len(c.Print.Digests) < 48 || len(c.Print.Digests)%16 != 0) {
				return false
			}
		}
	}
	return true
}

// save writes what is remembered, if there is something new, for the runs that
// were compared and, where there is room, others. That it cannot be written
// changes nothing but how long the next comparison takes.
func (r *recall) save(runs []Run) {
	if r == nil || !r.learns {
		return
	}
	all := memoryOf{Build: build(), Noted: map[string]*noted{}}
	texts := map[string]int{}
	add := func(mark string) {
		n := *r.noted[mark]
		n.Cells = slices.Clone(n.Cells)
		for i := range n.Cells {
			c := &n.Cells[i]
			at, known := texts[c.Source]
			if !known {
				at = len(all.Texts)
				texts[c.Source], all.Texts = at, append(all.Texts, c.Source)
			}
			c.Source = fmt.Sprint(at)
		}
		all.Noted[mark] = &n
	}
	for _, run := range runs {
		if r.noted[run.Mark] != nil {
			add(run.Mark)
		}
	}
	for mark := range r.noted {
		if all.Noted[mark] == nil && len(all.Noted) < 2*len(runs) {
			add(mark)
		}
	}
	var packed bytes.Buffer
	w, _ := flate.NewWriter(&packed, flate.BestSpeed)
	if gob.NewEncoder(&atMost{w, maxMemory}).Encode(all) != nil || w.Close() != nil {
		return
	}
	folder := filepath.Dir(r.file)
	if os.MkdirAll(folder, 0o700) != nil {
		return
	}
	f, err := os.CreateTemp(folder, ".cells-")
	if err != nil {
		return
	}
	_, err = f.Write(packed.Bytes())
	if f.Close() != nil || err != nil || os.Rename(f.Name(), r.file) != nil {
		os.Remove(f.Name())
		return
	}
	forgetOldest(folder)
}

// atMost is a writer of so many bytes.
type atMost struct {
	io.Writer
	left int
}

func (w *atMost) Write(b []byte) (int, error) {
	if w.left -= len(b); w.left < 0 {
		return 0, io.ErrShortWrite
	}
	return w.Writer.Write(b)
}

// forgetOldest removes the files of a folder that were used longest ago, beyond
// those that are kept.
func forgetOldest(folder string) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return
	}
	used := map[string]time.Time{}
	var names []string
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() && strings.HasSuffix(e.Name(), MemoryEnding) {
			names, used[e.Name()] = append(names, e.Name()), info.ModTime()
		}
	}
	slices.SortFunc(names, func(a, b string) int { return used[b].Compare(used[a]) })
	for i, name := range names {
		if i >= maxMemories {
			os.Remove(filepath.Join(folder, name))
		}
	}
}

// MemoryEnding is how the file of a Memory ends.
const MemoryEnding = ".cells"

// sheet is what is remembered of a notebook.
func (r *recall) sheet(run Run) (s *sheet, failed string, ok bool) {
	if r == nil || run.Mark == "" {
		return nil, "", false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.noted[run.Mark]
	if n == nil {
		return nil, "", false
	}
	s = &sheet{shape: n.Shape}
	s.clock.Start, s.clock.End = n.Start, n.End
	for _, c := range n.Cells {
		s.cells = append(s.cells, sheetCell{index: c.Index, number: c.Number, id: c.ID, title: c.Title, source: c.Source, code: [16]byte(c.Code), output: [16]byte(c.Output), reached: c.Reached, raised: c.Raised})
	}
	return s, n.Failed, true
}

func (r *recall) learn(run Run, s *sheet, failed string) {
	if r == nil || run.Mark == "" {
		return
	}
	n := &noted{Failed: failed, Start: s.clock.Start, End: s.clock.End, Shape: s.shape}
	for _, c := range s.cells {
		n.Cells = append(n.Cells, notedCell{Index: c.index, Number: c.number, ID: c.id, Title: c.title, Source: c.source, Code: slices.Clone(c.code[:]), Output: slices.Clone(c.output[:]), Reached: c.reached, Raised: c.raised})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.noted[run.Mark], r.learns = n, true
}

func (r *recall) print(run Run, cell int) (p print, ok bool) {
	if r == nil || run.Mark == "" {
		return p, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.noted[run.Mark]
	if n == nil || n.Cells[cell].Print == nil {
		return p, false
	}
	kept := n.Cells[cell].Print
	d := kept.Digests
	p.plain, p.clocked = [16]byte(d[:16]), [16]byte(d[16:32])
	p.frame = delta.Frame{Digest: [16]byte(d[32:48]), Numbers: kept.Numbers}
	for d = d[48:]; len(d) > 0; d = d[16:] {
		p.pictures = append(p.pictures, [16]byte(d[:16]))
	}
	return p, true
}

func (r *recall) learnPrint(run Run, cell int, p print) {
	if r == nil || run.Mark == "" {
		return
	}
	kept := &notedPrint{Digests: slices.Concat(p.plain[:], p.clocked[:], p.frame.Digest[:]), Numbers: p.frame.Numbers}
	for _, d := range p.pictures {
		kept.Digests = append(kept.Digests, d[:]...)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := r.noted[run.Mark]; n != nil {
		n.Cells[cell].Print, r.learns = kept, true
	}
}
