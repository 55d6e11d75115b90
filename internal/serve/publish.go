package serve

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/serve/internal/assets"
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
	done, err := site.Write(ctx, site.Source{Handler: s, Base: base, First: first, Name: func(u *url.URL) (string, bool) { return site.FileOf(first, u, p.NoCode) }}, to)
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

// library answers with a library for frames in files.
func library(w http.ResponseWriter, r *http.Request) { assets.Library(w, r.PathValue("file")) }
