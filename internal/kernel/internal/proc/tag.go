package proc

import (
	"strconv"
	"strings"
)

// A tag says in a number to which kernel a process belongs, for those that clear
// their environment. It is kept where every child inherits it and nothing else does
// anything with it: in the limit of a process on real-time computation, as so many
// microseconds that they never pass.

const (
	numberBits = 24
	tokenBits  = 36
	tagMark    = 1 << 62
)

// Tag marks a process, just started, and all that it starts from now on. It is known
// to be of the kernel id until Gone.
func Tag(pid int, id string) {
	census.know(pid, id)
	if tag := tagOf(id); tag != 0 {
		setTag(pid, tag)
	}
}

// tagOf returns the tag of an id of NewID, or 0 for anything else.
func tagOf(id string) uint64 {
	token, number, ok := strings.Cut(id, "-")
	if !ok || len(token) < tokenBits/4 {
		return 0
	}
	t, err := strconv.ParseUint(token[:tokenBits/4], 16, 64)
	n, err2 := strconv.ParseUint(number, 10, 64)
	if err != nil || err2 != nil {
		return 0
	}
	return tagMark | t<<numberBits | n%(1<<numberBits)
}

// isTag reports whether a limit is a tag.
func isTag(limit uint64) bool {
	return limit>>(numberBits+tokenBits) == tagMark>>(numberBits+tokenBits)
}
