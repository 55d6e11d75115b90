package journal

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/fanout-dev/fanout/internal/sweep/internal/jsonl"
)

// A Reader takes in what logs say. Its zero value has read nothing.
type Reader struct {
	Every bool // hand on every record

	names map[string]string // texts that many records share, each once
	rest  []byte            // of a log in pieces: the beginning of a line
}

// Next decodes the next piece of a log. A last line that is not whole, as a crash
// leaves it, waits for the next piece.
func (r *Reader) Next(piece []byte, do func(Record)) {
	r.rest = append(r.rest, piece...)
	whole := r.Read(r.rest, do)
	r.rest = r.rest[:copy(r.rest, r.rest[whole:])]
}

// End forgets the line that no piece completed: what it said is found in the
// attempts.
func (r *Reader) End() { r.rest = r.rest[:0] }

// Read decodes the whole lines of b and returns how many bytes they have. Unless
// every record is asked for, it may leave out that an attempt began that ended: it
// is open no more.
func (r *Reader) Read(b []byte, do func(Record)) (whole int) {
	whole = bytes.LastIndexByte(b, '\n') + 1
	for rest := b[:whole]; len(rest) > 0; {
		n := len(rest)
		if n > chunk {
			n = chunk + bytes.IndexByte(rest[chunk:], '\n') + 1
		}
		r.decode(rest[:n], do)
		rest = rest[n:]
	}
	return whole
}

// chunk is how many bytes of lines are decoded at once: their records take several
// times as many.
const chunk = 2 << 20

func (r *Reader) decode(b []byte, do func(Record)) {
	lines := bytes.Split(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))
	records, errs := []Record(nil), []error(nil)
	if !r.Every {
		records, errs = jsonl.DecodeLines[Record](open(lines))
	}
	if r.Every || damaged(errs) {
		records, errs = jsonl.DecodeLines[Record](lines)
	}
	r.hand(records, errs, do)
}

func damaged(errs []error) bool {
	for _, err := range errs {
		if err != nil {
			return true
		}
	}
	return false
}

func (r *Reader) hand(records []Record, errs []error, do func(Record)) {
	for i := range records {
		if errs[i] == nil {
			r.share(&records[i])
			do(records[i])
		}
	}
}

// open leaves out the lines by which attempts began that end further down: two of
// three lines of a log are such.
func open(lines [][]byte) [][]byte {
	ends := map[[idLen]byte]int{}
	lines = slices.Clone(lines)
	kept := len(lines)
	for i := len(lines) - 1; i >= 0; i-- {
		if run, n, is := about(lines[i], `{"ended":{"run":"`); is {
			ends[run] = n
		} else if run, n, is := about(lines[i], `{"began":{"run":"`); is && ends[run] == n {
			continue
		}
		kept--
		lines[kept] = lines[i]
	}
	return lines[kept:]
}

const idLen = 16 // of a run's id

// about reads of which attempt at which run a line says something, where it begins
// as records are written. What it goes on with may be anything.
func about(line []byte, begins string) (run [idLen]byte, n int, ok bool) {
	rest, is := bytes.CutPrefix(line, []byte(begins))
	if !is || len(rest) < idLen {
		return run, 0, false
	}
	copy(run[:], rest)
	rest, is = bytes.CutPrefix(rest[idLen:], []byte(`","n":`))
	end := bytes.IndexByte(rest, ',')
	if !is || end < 0 || bytes.ContainsAny(run[:], `"\`) {
		return run, 0, false
	}
	n, err := strconv.Atoi(string(rest[:end]))
	return run, n, err == nil && n > 0 && n <= MaxAttempts
}

// share makes equal texts of records one text: hosts, kernels and fingerprints are
// few, and runs are many.
func (r *Reader) share(x *Record) {
	if x.Ended == nil {
		return
	}
	o := &x.Ended.Outcome
	f := &o.Fingerprint
	for _, text := range []*string{(*string)(&o.Status), (*string)(&o.Kind), &o.Ename, &o.Evalue, &o.Kernel, &o.Host, &o.Node, &o.Provenance,
		&f.Code, &f.Text, &f.Files, &f.Inputs, &f.Environment} {
		*text = r.once(*text)
	}
}

func (r *Reader) once(text string) string {
	if text == "" {
		return ""
	}
	if known, is := r.names[text]; is {
		return known
	}
	if r.names == nil {
		r.names = map[string]string{}
	}
	r.names[text] = text
	return text
}
