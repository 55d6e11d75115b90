package ground

import (
	"os"

	"golang.org/x/sys/unix"
)

// cloneFile makes to share the blocks of from.
func cloneFile(to, from *os.File) error { return unix.IoctlFileClone(int(to.Fd()), int(from.Fd())) }

// whiteout hides the entries of that name in the layers below.
func whiteout(path string) error { return unix.Mknod(path, unix.S_IFCHR, 0) }
