package collect

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/table"
)

// Result is what was collected. Close it: it keeps frames and pictures in
// temporary files.
type Result struct {
	Table    *table.Table   // a row for every run or file; with all problems
	Scraps   int            // rows of the long table
	scraps   *os.File       // scraps.parquet
	stacks   []*table.Stack // of runs that succeeded
	apart    []*table.Stack // of the others
	pictures []placed
	buffer   *buffer
	kept     *keeper // of a sweep

	tableOnly bool
}

// Close gives the temporary files up.
func (r *Result) Close() error { return errors.Join(r.buffer.close(), r.scraps.Close()) }

// Keep stores in the sweep what its notebooks recorded, so that the next collect
// opens only those that are new or changed. It is a cache: a failure loses
// nothing but time.
func (r *Result) Keep(ctx context.Context, s *sweep.Sweep) error { return r.kept.keep(ctx, s) }

// Tables are the names of the frames that runs which succeeded recorded.
func (r *Result) Tables() []string {
	var names []string
	for _, s := range r.stacks {
		names = append(names, s.Name)
	}
	return names
}

// part is one file of a result.
type part struct {
	name  string // slash-separated, safe as a file's name
	write func(io.Writer) error
}

// parts are the files in the order in which they are written: a frame that turns
// out to be broken is a problem, so that the list of problems comes later.
func (r *Result) parts() []part {
	var all []part
	add := func(folder string, stacks []*table.Stack) {
		for _, s := range stacks {
			all = append(all, part{folder + fileName(s.Name) + ".parquet", func(w io.Writer) error {
				problems, err := s.Write(w)
				r.addProblems(problems)
				return err
			}})
		}
	}
	add("tables/", r.stacks)
	add("unsuccessful/", r.apart)
	for _, p := range r.pictures {
		all = append(all, part{p.name, func(w io.Writer) error {
			_, err := io.Copy(w, r.buffer.open(p.p.piece))
			return err
		}})
	}
	return append(all, part{"scraps.parquet", r.copyScraps}, part{"problems.parquet", r.writeProblems},
		part{"runs.arrow", r.Table.WriteArrow}, part{"runs.parquet", r.Table.WriteParquet})
}

// Names are those of the files of the result: tables/…, unsuccessful/…,
// displays/…, scraps.parquet, problems.parquet, runs.arrow and runs.parquet.
// They are slash-separated and safe as file names.
func (r *Result) Names() []string {
	var names []string
	for _, p := range r.parts() {
		names = append(names, p.name)
	}
	return names
}

// Write gives every file of the result to put, which must store it whole or not
// at all, in the order of Names. Problems met while stacking are added to the
// table's.
func (r *Result) Write(ctx context.Context, put func(name string, write func(io.Writer) error) error) error {
	if r.tableOnly {
		return errors.New("only the table was collected, and cannot be written")
	}
	for _, p := range r.parts() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := put(p.name, p.write); err != nil {
			return err
		}
	}
	return nil
}

func (r *Result) copyScraps(w io.Writer) error {
	if _, err := r.scraps.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read scraps: %w", err)
	}
	_, err := io.Copy(w, r.scraps)
	return err
}

var problemColumns = []table.ColumnSpec{
	{Name: "run_id", Role: table.RoleRun, Type: table.String},
	{Name: "kind", Role: table.RoleRun, Type: table.String},
	{Name: "name", Role: table.RoleRun, Type: table.String},
	{Name: "detail", Role: table.RoleRun, Type: table.String},
	{Name: "cell", Role: table.RoleRun, Type: table.Int},
}

// ProblemTable is the problems as a table: run_id (null: the table as a whole),
// kind, name, detail, cell (null: none).
func (r *Result) ProblemTable() (*table.Table, error) {
	var rows [][]any
	for _, p := range r.Table.Problems() {
		row := []any{p.Run, p.Kind, p.Name, p.Detail, p.Cell}
		if p.Run == "" {
			row[0] = nil
		}
		if p.Cell == 0 {
			row[4] = nil
		}
		rows = append(rows, row)
	}
	return table.Build(problemColumns, rows)
}

func (r *Result) writeProblems(w io.Writer) error {
	t, err := r.ProblemTable()
	if err != nil {
		return err
	}
	return t.WriteParquet(w)
}

// addProblems adds those that an earlier Write has not met.
func (r *Result) addProblems(met []table.Problem) {
	known := r.Table.Problems()
	r.Table.AddProblems(slices.DeleteFunc(met, func(p table.Problem) bool { return slices.Contains(known, p) }))
}

// fileName makes one safe path component of a name: letters and digits of any
// script, and "._- +=@" stay, everything else is percent-encoded, as are a
// leading dot and names that Windows reserves; long names end in a digest.
func fileName(name string) string {
	const longest = 120
	var b strings.Builder
	for i := 0; i < len(name); {
		r, n := utf8.DecodeRuneInString(name[i:])
		if safeRune(r, i) && (r != utf8.RuneError || n > 1) {
			b.WriteString(name[i : i+n])
		} else {
			for _, c := range []byte(name[i : i+n]) {
				fmt.Fprintf(&b, "%%%02X", c)
			}
		}
		i += n
	}
	s := b.String()
	if reserved(s) || strings.HasSuffix(s, ".") || strings.HasSuffix(s, " ") || s == "" {
		s += "%"
	}
	if len(s) > longest {
		sum := sha256.Sum256([]byte(name))
		s = strings.ToValidUTF8(s[:longest-17], "") + "-" + hex.EncodeToString(sum[:8])
	}
	return s
}

func safeRune(r rune, at int) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return true
	case r == '.':
		return at > 0
	case r >= 0x80:
		return letter(r)
	}
	return strings.ContainsRune("_- +=@", r)
}

func reserved(s string) bool {
	base, _, _ := strings.Cut(strings.ToUpper(s), ".")
	switch base {
	case "CON", "PRN", "AUX", "NUL":
		return true
	}
	return len(base) == 4 && (base[:3] == "COM" || base[:3] == "LPT") && base[3] >= '1' && base[3] <= '9'
}

func letter(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) }
