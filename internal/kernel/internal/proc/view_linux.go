package proc

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// ownView says that the thread that starts processes sees mounts of its own. Only
// that thread reads and writes it.
var ownView bool

// Overlay mounts at for every process started from now on, and for none other:
// layers, the uppermost first, beneath upper, which takes what is written. work is
// an empty folder beside upper.
func Overlay(at, upper, work string, layers []string) error {
	for _, dir := range append([]string{upper, work}, layers...) {
		if strings.ContainsAny(dir, `:,\`) { // they separate the options
			return fmt.Errorf("mount an overlay of %q: %w", dir, unix.EINVAL)
		}
	}
	// Nothing in upper has to survive this machine.
	options := "volatile,lowerdir=" + strings.Join(layers, ":") + ",upperdir=" + upper + ",workdir=" + work
	return onStarter(func() error {
		if err := takeView(); err != nil {
			return err
		}
		if err := unix.Mount("overlay", at, "overlay", 0, options); err != nil {
			return fmt.Errorf("mount an overlay: %w", err)
		}
		return nil
	})
}

// takeView gives the thread a mount namespace. It ends with the last process in
// it: no mount is ever left on the machine, and what is mounted on the machine is
// still seen.
func takeView() error {
	if ownView {
		return nil
	}
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("get mounts of our own: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("keep our mounts to ourselves: %w", err)
	}
	ownView = true
	return nil
}

// Unmount undoes Overlay, once its last process has ended.
func Unmount(at string) error {
	return onStarter(func() error { return unix.Unmount(at, unix.MNT_DETACH) })
}
