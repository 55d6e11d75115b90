package local

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/glob"
	"github.com/fanout-dev/fanout/internal/local/internal/ground"
	"github.com/fanout-dev/fanout/internal/scratch"
)

// A workdir is where one attempt runs: a working directory, a folder for its
// output, and a log.
type workdir struct {
	root  string // removed with all that is in it
	away  string // so is this, where temp is elsewhere
	dir   string // working directory of the kernel
	out   string // FANOUT_OUTPUT_DIR
	temp  string // TMPDIR; "" if its path is too long for sockets
	log   *os.File
	env   []string
	run   string
	n     int // of the attempt
	kind  kind
	spare *spare // a kernel started ahead of time; nil if there is none

	fed    bool           // it has what other runs left, which is no output of this one
	keep   []string       // patterns
	folder *ground.Folder // dir, if it is the run's own
}

// newWorkdir creates the folders in base, and that for temporary files in temps. The
// working directory is a folder of the run's own on g, or with shared the template's
// folder itself.
func newWorkdir(base, temps string, g *ground.Ground, shared bool, keep []string) (*workdir, error) {
	root, err := os.MkdirTemp(base, "run-")
	if err != nil {
		return nil, err
	}
	s := &workdir{root: root, keep: keep, dir: filepath.Join(root, "work"), out: filepath.Join(root, "output")}
	if err = os.Mkdir(s.out, 0o777); err == nil {
		s.log, err = namelessFile(root)
	}
	if err == nil && tempFits(temps) {
		err = s.makeTemp(base, temps)
	}
	switch {
	case err != nil:
	case shared:
		s.dir = g.Source
	default:
		if s.folder, err = g.Lay(s.dir, root); err == nil {
			s.folder.Watch(root, s.out)
			if s.temp != "" {
				s.folder.Watch(filepath.Dir(s.temp), s.temp)
			}
		}
	}
	if err != nil {
		s.remove()
		return nil, err
	}
	return s, nil
}

func (s *workdir) makeTemp(base, temps string) (err error) {
	where := s.root
	if temps != base {
		if where, err = os.MkdirTemp(temps, "run-"); err != nil {
			return err
		}
		s.away = where
	}
	s.temp = filepath.Join(where, "tmp")
	return os.Mkdir(s.temp, 0o777)
}

// longestTemp leaves room in the path of a Unix socket for the 36 characters that
// multiprocessing adds.
const longestTemp = 107 - 40

// tempFits reports whether paths of a run's temporary folder in base are short
// enough for sockets.
func tempFits(base string) bool { return len(base)+len("/run-1234567890/tmp") <= longestTemp }

// namelessFile opens a file without a name, which nobody else can open and which
// is gone with this process: a kernel may print secrets into it.
func namelessFile(dir string) (*os.File, error) {
	if f, err := tempFile(dir); err == nil {
		return f, nil
	}
	f, err := os.CreateTemp(dir, "log-")
	if err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}

func (s *workdir) remove() {
	s.discardSpare()
	if s.log != nil {
		s.log.Close()
	}
	if s.folder != nil {
		s.folder.Close()
	}
	scratch.RemoveAll(s.root)
	if s.away != "" {
		scratch.RemoveAll(s.away)
	}
}

func (s *workdir) discardSpare() {
	if s.spare != nil {
		s.spare.discard()
		s.spare = nil
	}
}

// untouched reports whether the working directory, its output and its temporary files
// are as they were created.
func (s *workdir) untouched() bool { return s.folder != nil && s.folder.Untouched() }

// of reports whether the working directory is a folder of g.
func (s *workdir) of(g *ground.Ground) bool { return s.folder != nil && s.folder.Of(g) }

// files returns the files to keep, by their name among the run's artifacts: all of
// the output folder, and the files the run created or changed in its working directory
// that match a pattern. left are the names of the other files that it created or
// changed, but not of those that programs write for themselves. The error is of
// folders that could not be read.
func (s *workdir) files() (keep map[string]string, left []string, err error) {
	keep = map[string]string{}
	if s.untouched() {
		return keep, nil, nil
	}
	err = ground.Regular(s.out, func(name, file string, _ fs.FileInfo) { keep[name] = file })
	if s.folder == nil {
		return keep, nil, err
	}
	return keep, left, errors.Join(err, s.folder.Made(func(name, file string, _ fs.FileInfo) {
		switch {
		case s.fed && strings.HasPrefix(name, "upstream/"):
		case matches(s.keep, name):
			keep[name] = file
		case !private(name):
			left = append(left, name)
		}
	}))
}

// shared are files that the run shares with others although its folder is its own,
// and that were written to.
func (s *workdir) shared() []string {
	if s.folder == nil {
		return nil
	}
	return s.folder.Changed()
}

// matches reports whether a pattern matches. One without a slash matches the name
// of a file at any depth.
func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if !strings.Contains(p, "/") {
			return glob.Match(p, path.Base(name))
		}
		return glob.Match(p, name)
	})
}

// private reports whether a file is of the kind that programs write for themselves:
// a hidden one, or compiled Python.
func private(name string) bool {
	return slices.ContainsFunc(strings.Split(name, "/"), func(part string) bool {
		return strings.HasPrefix(part, ".") || part == "__pycache__"
	})
}
