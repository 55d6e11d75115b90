// Package scratch makes temporary folders that never stay behind.
//
// In go a place and the beginning of a name; out come folders. Each holds a lock for
// as long as the process that made it lives. Whoever makes the next one in the same
// place removes those whose owner is gone, by SIGKILL or with the machine.
//
// It promises to remove no folder of a living process, of another user, or of another
// program: one without a lock of ours is left alone.
package scratch

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// lockName is the file in a folder that its owner holds locked.
const lockName = ".owner"

// A Folder is a temporary folder of this process.
type Folder struct {
	Path string
	lock *os.File
}

// Make removes the folders of the dead whose names begin with prefix, and creates one.
// dir is the place; the default is that for temporary files.
func Make(dir, prefix string) (*Folder, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	RemoveAbandoned(dir, prefix)
	path, err := os.MkdirTemp(dir, prefix)
	if err != nil {
		return nil, err
	}
	f := &Folder{Path: path}
	if err := f.own(); err != nil {
		return nil, errors.Join(err, RemoveAll(path))
	}
	return f, nil
}

// own locks the folder. The file gets its name once it is locked, so that nobody takes
// the folder for one of the dead.
func (f *Folder) own() error {
	name := filepath.Join(f.Path, lockName)
	lock, err := os.OpenFile(name+".new", os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	// Where files cannot be locked, nobody removes the folder but us.
	if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return errors.Join(lock.Close(), os.Remove(name+".new"))
	}
	f.lock = lock
	return os.Rename(name+".new", name)
}

// Remove removes the folder with all that is in it.
func (f *Folder) Remove() error {
	err := RemoveAll(f.Path)
	if f.lock != nil {
		err = errors.Join(err, f.lock.Close())
	}
	return err
}

// RemoveAbandoned removes the folders in dir whose names begin with prefix and whose
// owners have ended without doing so.
func RemoveAbandoned(dir, prefix string) {
	list, _ := os.ReadDir(dir)
	for _, e := range list {
		if e.IsDir() && strings.HasPrefix(e.Name(), prefix) {
			removeAbandoned(filepath.Join(dir, e.Name()))
		}
	}
}

func removeAbandoned(path string) {
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() {
		return
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || int(st.Uid) != os.Geteuid() {
		return
	}
	lock, err := os.OpenFile(filepath.Join(path, lockName), os.O_RDWR|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	defer lock.Close()
	if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
		RemoveAll(path)
	}
}

// RemoveAll is os.RemoveAll, and removes also what was left read-only.
func RemoveAll(dir string) error {
	err := os.RemoveAll(dir)
	if err == nil || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			os.Chmod(p, 0o700)
		}
		return nil
	})
	return os.RemoveAll(dir)
}
