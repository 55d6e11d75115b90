package serve

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/pattern"
	"github.com/fanout-dev/fanout/internal/serve/internal/assets"
	"github.com/fanout-dev/fanout/internal/serve/internal/foreign"
	"github.com/fanout-dev/fanout/internal/serve/internal/site"
	"github.com/fanout-dev/fanout/internal/unit"
)

// A Published is what was written of a sweep.
type Published = site.Result

// Pages are how the pages of a sweep are written as files.
type Pages struct {
	NoCode bool // without the code of cells, and without notebooks, which hold it

	at   time.Time // zero: they are no files, but answers
	most int       // how many there may be; 0 is as many as a site has
}

// Publish writes the pages of a sweep to a folder, in place of those that an
// earlier call wrote there. They are those of a server, without what asks one.
func Publish(ctx context.Context, a *app.App, sweep, to string, p Pages) (Published, error) {
	p.at = time.Now()
	base := "/" + rand.Text() + "/"
	var failed []error
	s, err := New(ctx, Config{App: a, Roots: []string{sweep}, Pages: p, Errors: func(text string) { failed = append(failed, errors.New(text)) },
		Access: Access{Auth: None, Base: base, Address: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}}})
	if err != nil {
		return Published{}, err
	}
	found, err := s.roots.Sweeps(ctx)
	if err != nil {
		return Published{}, err
	}
	if len(found.Sweeps) != 1 || found.Sweeps[0].Path != "" {
		return Published{}, unit.Mistake(unit.WithHint(fmt.Errorf("%s is no sweep", unit.Path(sweep)), "name the folder that fanout run wrote"))
	}
	opened, err := s.opened.Get(ctx, found.Sweeps[0].Where)
	if err == nil {
		err = site.Fits(len(opened.Runs()), p.most) // each has a page
	}
	if err != nil {
		return Published{}, err
	}
	first := "s/" + found.Sweeps[0].ID
	done, err := site.Write(ctx, site.Source{Handler: s, Base: base, First: first, Name: func(u *url.URL) (string, bool) { return p.fileOf(first, u) }}, to)
	if err != nil && len(failed) > 0 {
		err = fmt.Errorf("%w: %w", err, failed[0])
	}
	return done, err
}

// Written reports whether pages are files, which no server answers for.
func (p Pages) Written() bool { return !p.at.IsZero() }

// after is a channel that ends the waiting for what is being computed; a file
// waits for all.
func (p Pages) after(d time.Duration) <-chan time.Time {
	if p.Written() {
		return nil
	}
	return time.After(d)
}

// pagePaths are the pages of a sweep that are files, beneath its own; the others
// need a server.
var pagePaths = pattern.Of(`^(runs|runs/[a-z2-7]{16}|runs/[a-z2-7]{16}/[0-9]{1,6}|cells|nights|tables|tables/.+)$`)

// pictureOf are the addresses of pictures in the notebooks of runs.
var pictureOf = pattern.Of(`^runs/([a-z2-7]{16})/([0-9]{1,6})/(code[0-9]{1,6}-[0-9]{1,6})-(png|jpeg|gif|webp|bmp)$`)

// fileOf is the file of an address, and whether it is a page; "" for what is
// none.
func (p Pages) fileOf(first string, u *url.URL) (file string, page bool) {
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
	case !ok, p.NoCode && strings.EqualFold(path.Ext(beneath), ".ipynb"):
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

// library answers with a library for frames in files.
func library(w http.ResponseWriter, r *http.Request) { assets.Library(w, r.PathValue("file")) }
