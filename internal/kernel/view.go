package kernel

import "github.com/fanout-dev/fanout/internal/kernel/internal/proc"

// Overlay shows layers, folders of which the first is uppermost, at the folder at,
// to kernels and servers that are started from now on; nobody else sees it. What
// they write goes to the folder upper. work is an empty folder on its file system.
// An error means that this machine cannot: it takes Linux, and the right to mount.
func Overlay(at, upper, work string, layers []string) error {
	return proc.Overlay(at, upper, work, layers)
}

// Unmount ends an Overlay. What was written stays in its upper folder.
func Unmount(at string) error { return proc.Unmount(at) }
