package release

import (
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

const revision = "0123456789abcdef0123456789abcdef01234567"

func info(version string, settings ...debug.BuildSetting) *debug.BuildInfo {
	return &debug.BuildInfo{Main: debug.Module{Version: version}, Settings: settings}
}

// TestOf checks where each part of a release comes from, however it was built.
func TestOf(t *testing.T) {
	vcs := []debug.BuildSetting{{Key: "vcs.revision", Value: revision}, {Key: "vcs.modified", Value: "true"}}
	for _, c := range []struct {
		name            string
		info            *debug.BuildInfo
		version, commit string // the linker's
		word, first     string
	}{
		{"nothing recorded", info("(devel)"), "", "", "devel", "fanout devel\ncommit    unknown\n"},
		{"go build in a clone", info("(devel)", vcs...), "", "", "devel 0123456789ab", "fanout devel\ncommit    0123456789ab, with changes\n"},
		{"go install of a version", info("v1.2.3"), "", "", "v1.2.3", "fanout v1.2.3\ncommit    unknown\n"},
		{"make build", info("(devel)"), "", revision, "devel 0123456789ab", "fanout devel\ncommit    0123456789ab\n"},
		{"make dist", info("(devel)"), "1.2.3", revision, "1.2.3", "fanout 1.2.3\ncommit    0123456789ab\n"},
		{"make dist of an edited tree", info("(devel)", vcs...), "1.2.3", revision + "-dirty", "1.2.3", "fanout 1.2.3\ncommit    0123456789ab-dirty\n"},
	} {
		r := of(c.info, c.version, c.commit)
		if r.String() != c.word {
			t.Errorf("%s: %q, want %q", c.name, r, c.word)
		}
		var b strings.Builder
		if err := r.Write(&b, false); err != nil {
			t.Fatal(err)
		}
		want := c.first + "go        " + runtime.Version() + "\nplatform  " + runtime.GOOS + "/" + runtime.GOARCH + "\n"
		if b.String() != want {
			t.Errorf("%s: printed %q, want %q", c.name, b.String(), want)
		}
	}
}
