// Package inside is what a process that Nomad started knows of its allocation: its name, where
// its files go, and what memory it has.
package inside

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// WorkerName names the allocation that this process runs in, for readers of the
// sweep. It is empty outside an allocation.
func WorkerName() string {
	id := os.Getenv("NOMAD_ALLOC_ID")
	if id == "" {
		return ""
	}
	return NameOf(id)
}

// NameOf is what the worker of an allocation is called.
func NameOf(id string) string { return "allocation " + id[:min(8, len(id))] }

// WorkFolder is where this process's temporary files go, so that they go with its
// allocation; empty outside one.
func WorkFolder() string {
	dir := os.Getenv("NOMAD_ALLOC_DIR")
	if dir == "" {
		return ""
	}
	dir = filepath.Join(dir, "tmp")
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return ""
	}
	return dir
}

// Memory says what memory this process's allocation has and how to ask for more;
// empty where it has no limit.
func Memory() string {
	mb, err := strconv.ParseInt(os.Getenv("NOMAD_MEMORY_LIMIT"), 10, 64)
	if err != nil {
		return ""
	}
	return MemoryWords(mb, true)
}

// MemoryWords are about an allocation with so many MiB. unasked says that the sweep
// file does not say how many it needs.
func MemoryWords(mb int64, unasked bool) string {
	has := fmt.Sprintf("its allocation has %d MiB", mb)
	if !unasked {
		return has
	}
	return fmt.Sprintf("%s, because the sweep file does not say how much it needs: resources: {memory: %dMiB}", has, 4*mb)
}
