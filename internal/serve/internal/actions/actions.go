// Package actions is what a browser may have done: launching what lies beneath the
// roots, executing again what failed, resuming and canceling.
//
// In go requests that the guard has let in; out come orders in a queue. It promises
// that nothing is done unless the server allows it, that a browser orders only what a
// page of ours offered it, that a request names things by ids which this server gave
// out, and that what is done is in the audit log before it is done.
package actions

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/fanout-dev/fanout/internal/launch"
	"github.com/fanout-dev/fanout/internal/lease"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/roots"
	"github.com/fanout-dev/fanout/internal/serve/internal/guard"
	"github.com/fanout-dev/fanout/internal/shelf"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Actions are those of one server.
type Actions struct {
	Queue *launch.Queue // nil: nothing is allowed
	Audit func(Entry) error
	Roots *roots.Roots
	Open  func(ctx context.Context, where string) (store.Store, error)
	Fires bool // somebody fires what is scheduled
	// Preview says what an order would execute, or what is wrong with it.
	Preview func(ctx context.Context, o launch.Order) (string, error)

	once sync.Once
	key  []byte

	mu    sync.Mutex
	about map[string]about // by the path of a file
}

// An Entry is a line of the audit log.
type Entry struct {
	At     time.Time `json:"at"`
	User   string    `json:"user"`
	Remote string    `json:"remote"`
	Action string    `json:"action,omitempty"`
	Order  string    `json:"order,omitempty"`
	File   string    `json:"file,omitempty"`
	Sweep  string    `json:"sweep,omitempty"`
	Set    []string  `json:"set,omitempty"`
	// Of every request that could have changed something, also of one that was
	// refused.
	Method string `json:"method,omitempty"`
	Path   string `json:"path,omitempty"`
	Status int    `json:"status,omitempty"`
}

// refusal is why a request is not obeyed: its status is 403.
type refusal string

func (r refusal) Error() string { return string(r) }
func (refusal) Unwrap() error   { return fs.ErrPermission }

// Off is why nothing is done.
var errOff error = refusal("this server only shows: it was not started with --allow-launch")

// idForm is that of every id.
var idForm = regexp.MustCompile(`^[a-z2-7]{16}$`)

// On reports whether anything is allowed.
func (a *Actions) On() bool { return a.Queue != nil }

// who names who asks, for logs.
func who(ctx context.Context) string { return cmp.Or(guard.User(ctx), "whoever has the token") }

// Token is what a form of ours has, so that no other page can send it.
func (a *Actions) Token(ctx context.Context) string {
	a.once.Do(func() { a.key = make([]byte, 32); rand.Read(a.key) })
	mac := hmac.New(sha256.New, a.key)
	fmt.Fprintf(mac, "form of %q", guard.User(ctx))
	return hex.EncodeToString(mac.Sum(nil))
}

// maxBody is how much a form may send.
const maxBody = 4 << 20

// admit refuses a request that is not obeyed, whatever it asks for.
func (a *Actions) admit(w http.ResponseWriter, r *http.Request, ids ...string) error {
	if !a.On() {
		return errOff
	}
	for _, id := range ids {
		if !idForm.MatchString(id) {
			return refusal("nothing here has that id")
		}
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/x-www-form-urlencoded" {
		return refusal("only a form can ask for that")
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		return unit.Mistake(fmt.Errorf("read the form: %w", err))
	}
	// A page of another site cannot send that header, and need not know a page of ours.
	if r.Header.Get("Authorization") == "" && !hmac.Equal([]byte(r.PostForm.Get("token")), []byte(a.Token(r.Context()))) {
		return refusal("the form is not from this server, or from before it was started: load the page again")
	}
	return nil
}

// File is a file that can be launched.
type File struct {
	roots.File
	Title string `json:"title,omitempty"`
	About string `json:"about,omitempty"`
	Kind  string `json:"kind"` // template or sweep file

	sweep string // the name of the sweep that a sweep file describes
}

// about is what is known of a file.
type about struct {
	size  int64
	at    time.Time
	file  File
	known bool // as something to launch
}

// Files are those that can be launched.
func (a *Actions) Files(ctx context.Context) ([]File, error) {
	found, err := a.Roots.Files(ctx)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.about == nil {
		a.about = map[string]about{}
	}
	var all []File
	for _, f := range found {
		k, has := a.about[f.Where]
		if !has || k.size != f.Size || !k.at.Equal(f.ModTime) {
			k = look(f)
			a.about[f.Where] = k
		}
		if k.known {
			k.file.File = f
			all = append(all, k.file)
		}
	}
	return all, nil
}

// hasName is the name of a sweep, where a sweep file says it plainly.
var hasName = regexp.MustCompile(`(?m)^["']?name["']?\s*:\s*["']?([\pL\pN._-]+)["']?\s*(?:#.*)?$`)

// sheet is the kind of files that describe a sweep.
const sheet = "sweep file"

// maxLook is the size of files of which is said what they are.
const maxLook = 4 << 20

var hasTemplates = regexp.MustCompile(`(?m)^["']?(?:template|steps)["']?\s*:`)

// look says what a file is, from what it has without being read as a sweep file.
func look(f roots.File) about {
	k := about{size: f.Size, at: f.ModTime}
	if f.Size > maxLook {
		return k
	}
	text, err := os.ReadFile(f.Where)
	if err != nil {
		return k
	}
	if path.Ext(f.Name) != ".ipynb" {
		k.known, k.file.Kind = hasTemplates.Match(text), sheet
		k.file.sweep = strings.TrimSuffix(f.Name, path.Ext(f.Name))
		if named := hasName.FindSubmatch(text); named != nil {
			k.file.sweep = string(named[1])
		}
		return k
	}
	if !bytes.Contains(text, []byte(`"parameters"`)) {
		return k
	}
	doc, err := notebook.Decode(text)
	if err != nil {
		return k
	}
	if _, executed := doc.Arguments(); executed {
		return k // a result, not a template
	}
	_, k.known, _ = doc.Parameters()
	k.file.Kind = "template"
	k.file.Title, k.file.About = shelf.Heading(doc)
	return k
}

// Extends is the id of the sweep file whose runs go to a sweep; "" where none is known.
func (a *Actions) Extends(ctx context.Context, where string) string {
	if !a.On() {
		return ""
	}
	files, err := a.Files(ctx)
	if err != nil {
		return "" // the list of what can be launched says why
	}
	for _, f := range files {
		if f.Kind == sheet && filepath.Join(filepath.Dir(f.Where), f.sweep+".sweep") == where {
			return f.ID
		}
	}
	return ""
}

// file finds a file by its id.
func (a *Actions) file(ctx context.Context, id string) (roots.File, error) {
	found, err := a.Roots.Files(ctx)
	if err != nil {
		return roots.File{}, err
	}
	for _, f := range found {
		if f.ID == id {
			return f, nil
		}
	}
	return roots.File{}, unit.WithHint(fmt.Errorf("there is no such file: %w", fs.ErrNotExist), "the list of what can be launched says what is there")
}

// order accepts an order: it is in the audit log first. What was ordered already is not
// ordered again.
func (a *Actions) order(r *http.Request, o launch.Order, action string) (launch.Order, error) {
	if given, ok := a.Queue.Given(o); ok {
		return given, launch.ErrAgain
	}
	o, err := a.audited(r, o, action)
	if err != nil {
		return o, err
	}
	return a.Queue.Add(o)
}

// audited is the order of whoever asks, once it is in the audit log.
func (a *Actions) audited(r *http.Request, o launch.Order, action string) (launch.Order, error) {
	o.By = who(r.Context())
	if err := a.Audit(Entry{User: o.By, Remote: r.RemoteAddr, Action: action, File: o.File, Sweep: o.Where, Set: o.Set}); err != nil {
		return o, fmt.Errorf("write the audit log: %w", err)
	}
	return o, nil
}

// Do obeys a button on the page of a sweep. cancel asks whoever executes the sweep to
// stop.
func (a *Actions) Do(w http.ResponseWriter, r *http.Request, find func() (roots.Sweep, error), cancel func(context.Context) error) error {
	if err := a.admit(w, r, r.PathValue("sweep")); err != nil {
		return err
	}
	place, err := find()
	if err != nil {
		return err
	}
	now := time.Now()
	do := r.PostForm.Get("do")
	if Timed(do) {
		return a.timed(r, place, do)
	}
	switch do {
	case launch.Rerun:
		_, err = a.order(r, launch.RerunOf(place.Name, place.Where, now), do)
	case launch.Resume:
		_, err = a.order(r, launch.ResumeOf(place.Name, place.Where, now), do)
	case "cancel":
		by := who(r.Context())
		if err := a.Audit(Entry{User: by, Remote: r.RemoteAddr, Action: do, Sweep: place.Where}); err != nil {
			return fmt.Errorf("write the audit log: %w", err)
		}
		var withdrawn bool
		if withdrawn, err = a.Queue.Withdraw(place.Where, by); err == nil && !withdrawn {
			err = cancel(lease.Doing(r.Context(), lease.Deed{Command: do, From: "web", For: by}))
		}
	default:
		return refusal("nothing here does " + unit.Cut(unit.Line(do), 40))
	}
	return unlessAgain(err)
}

// unlessAgain is nil for what was asked for already: the page says how that stands.
func unlessAgain(err error) error {
	if errors.Is(err, launch.ErrAgain) {
		return nil
	}
	return err
}

// Launches are what can be launched, and what was.
type Launches struct {
	Files  []File            `json:"files"`
	Orders []launch.Order    `json:"orders"`
	Sweeps map[string]string `json:"sweeps"` // ids of the sweeps, by their places
	Moves  bool              `json:"moves"`  // an order is waiting or running
	On     bool              `json:"allowed"`
}

// List is the page of launches.
func (a *Actions) List(ctx context.Context, search string) (Launches, error) {
	v := Launches{On: a.On(), Files: []File{}, Orders: []launch.Order{}, Sweeps: map[string]string{}}
	if !v.On {
		return v, nil
	}
	files, err := a.Files(ctx)
	if err != nil {
		return v, err
	}
	for _, f := range files {
		if strings.Contains(strings.ToLower(f.Path+" "+f.Title), strings.ToLower(strings.TrimSpace(search))) {
			v.Files = append(v.Files, f)
		}
	}
	v.Orders = a.Queue.Orders()
	listed, err := a.Roots.Sweeps(ctx)
	if err != nil {
		return v, err
	}
	known := map[string]bool{}
	for _, p := range listed.Sweeps {
		known[p.Where] = true
	}
	for _, o := range v.Orders {
		v.Moves = v.Moves || o.Ended.IsZero()
		if !known[o.Where] && !isSweep(o.Where) {
			continue // it was not begun, or was removed
		}
		if !known[o.Where] {
			a.Roots.Changed()
		}
		v.Sweeps[o.Where] = roots.ID(o.Where)
	}
	return v, nil
}

// isSweep reports whether a folder is a sweep's by now.
func isSweep(folder string) bool {
	_, err := os.Stat(filepath.Join(folder, sweep.KeyFormat))
	return err == nil
}
