package site

import (
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/fanout-dev/fanout/internal/pattern"
	"github.com/fanout-dev/fanout/internal/serve/internal/assets"
	"github.com/fanout-dev/fanout/internal/serve/internal/foreign"
)

// pagePaths are the pages of a sweep that are files, beneath its own; the others
// need a server.
var pagePaths = pattern.Of(`^(runs|runs/[a-z2-7]{16}|runs/[a-z2-7]{16}/[0-9]{1,6}|cells|nights|tables|tables/.+)$`)

// pictureOf are the addresses of pictures in the notebooks of runs.
var pictureOf = pattern.Of(`^runs/([a-z2-7]{16})/([0-9]{1,6})/(code[0-9]{1,6}-[0-9]{1,6})-(png|jpeg|gif|webp|bmp)$`)

// FileOf is the file of an address beneath the first page of a sweep, and whether it is
// a page; "" for what is none. noCode leaves out notebooks, which hold code.
func FileOf(first string, u *url.URL, noCode bool) (file string, page bool) {
	query := u.Query()
	if strings.HasPrefix(u.Path, "-/static/") {
		return u.Path, false
	}
	if u.Path == "" || u.Path == first && len(query) == 0 {
		return "index.html", u.Path != ""
	}
	beneath, ok := strings.CutPrefix(u.Path, first+"/")
	picture := pictureOf().FindStringSubmatch(beneath)
	switch {
	case picture != nil:
		return "pictures/" + strings.Join(picture[1:4], "-") + "." + picture[4], false
	case !ok, noCode && strings.EqualFold(path.Ext(beneath), ".ipynb"):
		return "", false
	case strings.HasPrefix(beneath, "files/"), strings.HasPrefix(beneath, "pictures/"):
		return inert(beneath), false
	case !pagePaths().MatchString(beneath):
		return "", false
	}
	name := plainPath(beneath)
	switch {
	case len(query) == 0:
	case len(query) == 1 && beneath == "runs" && query.Get("page") != "":
		name += "-" + plainName(query.Get("page"))
	case beneath == "cells" && onlyOf(query, "step", "by"):
		for _, key := range []string{"step", "by"} {
			if value := query.Get(key); value != "" {
				name += "-" + key + "-" + plainName(value)
			}
		}
	default:
		return "", false
	}
	return name + ".html", true
}

// onlyOf reports whether a query has these keys alone, each with a value.
func onlyOf(query url.Values, keys ...string) bool {
	for key := range query {
		if !slices.Contains(keys, key) || query.Get(key) == "" {
			return false
		}
	}
	return true
}

var plain = pattern.Of(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$`)

// plainName is a name that every host and file system takes.
func plainName(name string) string {
	if plain().MatchString(name) {
		return name
	}
	return "x-" + assets.Digest(name)
}

func plainPath(name string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		ext := path.Ext(p)
		if !plain().MatchString(p) && plain().MatchString(strings.TrimPrefix(ext, ".")) {
			parts[i] = plainName(p) + ext
		} else {
			parts[i] = plainName(p)
		}
	}
	return strings.Join(parts, "/")
}

// inertTypes are the endings of files that no browser executes, besides those
// that are shown.
var inertTypes = []string{".ipynb", ".parquet", ".arrow", ".feather", ".npy", ".npz", ".pkl", ".pickle", ".h5", ".hdf5", ".nc", ".zip", ".gz", ".bz2", ".xz", ".zst", ".tar", ".xlsx", ".bin"}

// inert is the file of foreign bytes: under another ending where a host could
// send them as something that a browser executes.
func inert(name string) string {
	plain := plainPath(name)
	if !foreign.Shown(name) && !slices.Contains(inertTypes, strings.ToLower(path.Ext(name))) {
		plain += ".bin"
	}
	return plain
}
