package ground

import (
	"os"

	"golang.org/x/sys/unix"
)

// cloneFile makes to share the blocks of from.
func cloneFile(to, from *os.File) error { return unix.IoctlFileClone(int(to.Fd()), int(from.Fd())) }

// whiteout hides the entries of that name in the layers below.
func whiteout(path string) error { return unix.Mknod(path, unix.S_IFCHR, 0) }

// A stamp is all of a file's state but its content.
type stamp struct {
	dev, ino   uint64
	mode       uint32
	size       int64
	mtim, ctim unix.Timespec
}

func stampOf(path string) (stamp, bool) {
	var st unix.Stat_t
	if unix.Lstat(path, &st) != nil {
		return stamp{}, false
	}
	return stamp{uint64(st.Dev), st.Ino, st.Mode, st.Size, st.Mtim, st.Ctim}, true
}
