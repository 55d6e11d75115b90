// Package walk finds the files beneath a folder, whatever somebody has put there.
package walk

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// MaxDepth is how many folders deep files are found. No run makes so many, and each
// is held open while what is in it is looked at.
const MaxDepth = 200

// A File is what is no folder: also a link, which is not followed.
type File struct {
	Key     string // its path in root
	Size    int64  // bytes
	ModTime time.Time
}

// Files calls do with all files beneath a folder of root. What is removed meanwhile is
// left out, and so is what has a name that is no UTF-8, or is too deep.
func Files(ctx context.Context, root *os.Root, folder string, do func(File)) error {
	f, err := root.OpenFile(filepath.FromSlash(folder), os.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, 0)
	if err != nil {
		return gone(err)
	}
	return files(ctx, f, folder, MaxDepth, do)
}

// files opens each folder in the one that it is in: a path from root would be resolved
// anew for each, which takes the square of their number. It closes the folder.
func files(ctx context.Context, folder *os.File, key string, depth int, do func(File)) error {
	defer folder.Close()
	names, err := folder.Readdirnames(-1)
	for _, name := range names {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil && utf8.ValidString(name) {
			err = gone(file(ctx, folder, name, path.Join(key, name), depth, do))
		}
	}
	return gone(err)
}

func file(ctx context.Context, folder *os.File, name, key string, depth int, do func(File)) error {
	var st unix.Stat_t
	if err := again(func() error { return unix.Fstatat(int(folder.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW) }); err != nil {
		return &fs.PathError{Op: "stat", Path: key, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		do(File{key, st.Size, time.Unix(st.Mtim.Unix())})
		return nil
	}
	if depth == 0 {
		return nil
	}
	var fd int
	err := again(func() (err error) {
		fd, err = unix.Openat(int(folder.Fd()), name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return &fs.PathError{Op: "open", Path: key, Err: err}
	}
	return files(ctx, os.NewFile(uintptr(fd), key), key, depth-1, do)
}

// again repeats a call that a signal has interrupted.
func again(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

// gone is an error of what is still a folder: others may remove it, or put a file in its
// place, at any time.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil
	}
	return err
}
