// Package serve shows sweeps and notebooks to browsers: routes, authentication,
// pages, their JSON twins and live events.
//
// In go the places to show and a listener; out come pages. It promises to
// write nothing into what it shows and to take no lease, so it works with
// credentials that only read; that a route nobody declared public is answered
// to nobody unknown (package guard); that foreign text is never markup of ours;
// and that its memory is bounded by what is looked at, not by what is there.
// Every page is its URL, reads without scripts, and has a twin under /api/v1.
//
// It computes nothing of a sweep: app, query and report do.
package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/launch"
	"github.com/fanout-dev/fanout/internal/roots"
	"github.com/fanout-dev/fanout/internal/serve/internal/actions"
	"github.com/fanout-dev/fanout/internal/serve/internal/ahead"
	"github.com/fanout-dev/fanout/internal/serve/internal/assets"
	"github.com/fanout-dev/fanout/internal/serve/internal/books"
	"github.com/fanout-dev/fanout/internal/serve/internal/explore"
	"github.com/fanout-dev/fanout/internal/serve/internal/guard"
	"github.com/fanout-dev/fanout/internal/serve/internal/live"
	"github.com/fanout-dev/fanout/internal/serve/internal/opened"
	"github.com/fanout-dev/fanout/internal/shelf"
)

// Access is who may look, and by which names the server is reached.
type Access = guard.Config

// An Entry is one request, for the access log.
type Entry = guard.Entry

// The ways to know who asks.
const (
	Token = guard.Token
	Proxy = guard.Proxy
	None  = guard.None
)

// NewToken draws a token.
func NewToken() string { return guard.NewToken() }

// Config is what a server shows, and to whom.
type Config struct {
	App    *app.App
	Roots  []string // folders and buckets
	Access Access
	TLS    *tls.Config // nil: plain HTTP
	Errors func(text string)
	Cache  string // file for what is known of the sweeps; "" is none
	Cells  string // folder for what is known of the cells of their runs; "" is none
	Pages  Pages
	Fires  bool                   // somebody fires what is scheduled in these sweeps
	Launch *launch.Queue          // of what browsers may have executed; nil is nothing
	Audit  func(AuditEntry) error // called for every request that could change something, and before something is done
}

// A Server shows sweeps.
type Server struct {
	Config
	ctx     context.Context // of streams, which end with it
	guard   *guard.Guard
	roots   *roots.Roots
	opened  *opened.Cache
	hub     live.Hub
	shelf   *shelf.Shelf
	actions actions.Actions
	books   books.Books
	tables  explore.Cache
	heavy   chan struct{} // holds one for each thing that takes much memory
}

// maxHeavy is how many things that take much memory are done at once.
const maxHeavy = 2

// New makes a server. Streams end with ctx.
func New(ctx context.Context, c Config) (*Server, error) {
	s := &Server{Config: c, ctx: ctx, heavy: make(chan struct{}, maxHeavy)}
	err := actions.Check(c.Launch, c.Access.Auth)
	if err != nil {
		return nil, err
	}
	if s.roots, err = roots.New(ctx, c.Roots, c.App.OpenStore); err != nil {
		return nil, err
	}
	s.opened = opened.New(c.App.OpenPlanned)
	s.shelf = shelf.New(c.Cache, c.App.OpenStore)
	s.actions = actions.Actions{Queue: c.Launch, Audit: c.Audit, Roots: s.roots, Open: c.App.OpenStore, Fires: c.Fires, Preview: func(ctx context.Context, o launch.Order) (string, error) { return ahead.Order(ctx, c.App, o) }}
	c.Access.Refuse = s.refuse
	if c.Audit != nil {
		c.Access.Log = actions.Audited(c.Access.Log, c.Audit, s.report)
	}
	if s.guard, err = guard.New(c.Access); err != nil {
		return nil, err
	}
	s.Access = s.guard.Config
	s.Access.Metrics.Gauge("fanout_serve_streams", "Streams of live events that are open.", func() float64 { return float64(s.hub.Clients()) })
	s.Access.Metrics.Gauge("fanout_serve_open_sweeps", "Sweeps that are kept in memory.", func() float64 { return float64(s.opened.Len()) })
	s.routes()
	return s, nil
}

// routes is every route there is. A page is a page and its twin; what is Public
// tells nothing of what is shown.
func (s *Server) routes() {
	s.guard.Public("GET /healthz", http.HandlerFunc(guard.Healthy))
	s.guard.Public("GET /-/static/{digest}/{file}", http.HandlerFunc(assets.Static))
	s.guard.Public("GET /-/static/frames/{file}", http.HandlerFunc(assets.Frame))
	if s.Pages.Written() {
		s.guard.Public("GET /-/static/libraries/{file}", http.HandlerFunc(library))
	}
	s.guard.Handle("GET /metrics", s.Access.Metrics.Handler())

	s.page("/{$}", "index", s.index)
	s.page("/s/{sweep}", "sweep", s.sweepPage)
	s.page("/s/{sweep}/runs", "runs", s.runsPage)
	s.page("/s/{sweep}/runs/{run}", "run", s.runPage)
	s.page("/s/{sweep}/runs/{run}/{attempt}", "run", s.runPage)
	s.page("/s/{sweep}/cells", "cells", s.cellsPage)
	s.page("/s/{sweep}/nights", "nights", s.nightsPage)
	s.page("/s/{sweep}/schedule", "schedule", s.schedulePage)
	s.page("/s/{sweep}/firings/{firing}", "firing", s.firingPage)
	s.page("/s/{sweep}/tables", "tables", s.tablesPage)
	s.page("/s/{sweep}/tables/{table...}", "table", s.tablePage)
	s.page("/s/{sweep}/runs/{run}/{attempt}/table/{part}", "table", s.runTable)
	s.page("/table/{part}/{path...}", "table", s.fileTable)
	s.page("/view/{path...}", "folder", s.folderPage)
	s.page("/launch", "launches", s.launchesPage)
	s.page("/launch/{file}", "launch", s.formPage)

	s.guard.Handle("POST /launch/{file}", http.HandlerFunc(s.launch))
	s.guard.Handle("POST /s/{sweep}/do", http.HandlerFunc(s.act))

	s.guard.Handle("GET /api/v1/next", http.HandlerFunc(s.next))
	s.guard.Handle("GET /s/{sweep}/runs.csv", s.export(writeCSV))
	s.guard.Handle("GET /s/{sweep}/runs.parquet", s.export(writeParquet))
	s.guard.Handle("GET /s/{sweep}/runs/{run}/{attempt}/{part}", http.HandlerFunc(s.runPart))
	s.guard.Handle("GET /part/{part}/{path...}", http.HandlerFunc(s.filePart))
	s.guard.Handle("GET /s/{sweep}/pictures/{file}", http.HandlerFunc(s.picture))
	s.guard.Handle("GET /s/{sweep}/files/{key...}", http.HandlerFunc(s.object))
	s.guard.Handle("GET /s/{sweep}/events", http.HandlerFunc(s.events))
	s.guard.Handle("GET /files/{path...}", http.HandlerFunc(s.file))
	s.guard.Handle("GET /api/contents/{path...}", http.HandlerFunc(s.contents))
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.guard.ServeHTTP(w, r) }

// Limits of connections.
const (
	headersWithin = 10 * time.Second
	readWithin    = 30 * time.Second
	writeWithin   = 2 * time.Minute
	idleFor       = 2 * time.Minute
	maxHeader     = 64 << 10
	closeWithin   = 5 * time.Second
)

// Serve answers what comes to a listener until the server's context ends.
func (s *Server) Serve(l net.Listener) error {
	srv := &http.Server{
		Handler: s, TLSConfig: s.TLS, ErrorLog: guard.ErrorLog(s.Errors),
		ReadHeaderTimeout: headersWithin, ReadTimeout: readWithin, WriteTimeout: writeWithin, IdleTimeout: idleFor, MaxHeaderBytes: maxHeader,
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-s.ctx.Done()
		within, cancel := context.WithTimeout(context.Background(), closeWithin)
		defer cancel()
		if srv.Shutdown(within) != nil {
			srv.Close()
		}
	}()
	go s.tidy()
	var err error
	if s.TLS != nil {
		err = srv.ServeTLS(l, "", "")
	} else {
		err = srv.Serve(l)
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	<-stopped
	s.shelf.Keep()
	return nil
}

// tidy gives up what nobody looks at any more.
func (s *Server) tidy() {
	every := time.NewTicker(time.Minute)
	defer every.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-every.C:
			s.opened.Tidy()
			s.books.Tidy()
			s.tables.Tidy()
		}
	}
}
