package jobspec

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// ID composes the id of a job from a name, of which only what Nomad accepts is
// kept, and an id that distinguishes things of one name.
func ID(name, id string) string { return fmt.Sprintf("fanout-%.40s-%.8s", Safe(name), id) }

// Safe is a name with only what Nomad accepts in the id of a job.
func Safe(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '-'
	}, name)
}

// ScheduleID is the id of a schedule's job: one per place of a sweep.
func ScheduleID(name, store string) string {
	sum := sha256.Sum256([]byte(store))
	return ID("schedule-"+name, hex.EncodeToString(sum[:]))
}
