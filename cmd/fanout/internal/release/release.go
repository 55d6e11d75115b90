// Package release says which fanout this is: the version, the commit that it was
// built from, and for which platform. It starts nothing and reads no file.
package release

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

// What the linker was given with -X, as `make` does. It counts before what the
// go command recorded.
var version, commit string

// A Release is what a binary knows of itself. Fields that nobody recorded are
// empty, except Version.
type Release struct {
	Version  string `json:"version"` // "devel" without one
	Commit   string `json:"commit,omitempty"`
	Edited   bool   `json:"edited,omitempty"` // there were changes beyond the commit
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// Of is this binary's.
func Of() Release {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return of(info, version, commit)
}

func of(info *debug.BuildInfo, version, commit string) Release {
	r := Release{Version: "devel", Commit: commit, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		r.Version = v
	}
	if version != "" {
		r.Version = version
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && commit == "":
			r.Commit = s.Value
		case s.Key == "vcs.modified" && commit == "":
			r.Edited = s.Value == "true"
		}
	}
	return r
}

// String is the release in a word or two, as sweeps record it: the version, and
// the commit of one that has no version.
func (r Release) String() string {
	if r.Version == "devel" && r.Commit != "" {
		return "devel " + short(r.Commit)
	}
	return r.Version
}

// Write writes the release for people, or as JSON.
func (r Release) Write(w io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(r)
	}
	commit := short(r.Commit)
	if commit == "" {
		commit = "unknown"
	}
	if r.Edited {
		commit += ", with changes"
	}
	_, err := fmt.Fprintf(w, "fanout %s\ncommit    %s\ngo        %s\nplatform  %s\n", r.Version, commit, r.Go, r.Platform)
	return err
}

// short is a commit as git shows it; "-dirty" and the like stay.
func short(commit string) string {
	const digits = 12
	if len(commit) >= 40 {
		return commit[:digits] + commit[40:]
	}
	return commit
}
