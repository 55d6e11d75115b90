package serve

import (
	"context"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/firing"
	"github.com/fanout-dev/fanout/internal/launch"
	"github.com/fanout-dev/fanout/internal/lease"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/roots"
	"github.com/fanout-dev/fanout/internal/schedule"
	"github.com/fanout-dev/fanout/internal/serve/internal/guard"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// A portal is a server that lets people launch, with what it was asked to do.
type portal struct {
	*Server
	dir   string
	queue *launch.Queue
	mu    sync.Mutex
	audit []AuditEntry
}

// newPortal shows a sweep with failures, a template and a sweep file. Nothing executes
// its orders.
func newPortal(t *testing.T, access Access, allow bool) *portal {
	t.Helper()
	p := &portal{dir: t.TempDir()}
	s := makeSweep(t, store.Dir(filepath.Join(p.dir, "tides.sweep")), 6, mixed(6))
	must(t, s.Lease().Release())
	for name, text := range map[string]string{"t.ipynb": sweepTemplate, "sweep.yaml": "name: small\ntemplate: t.ipynb\ngrid: {x: [1, 2], region: [apac]}\nparameters: {model: m}\n"} {
		must(t, os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o666))
	}
	if access.Auth == "" {
		access.Auth, access.Token = Token, testToken
	}
	access.Base, access.Address = "/", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4000}
	c := Config{App: &app.App{OpenStore: store.Open, Warn: func(string) {}, Version: "test"}, Roots: []string{p.dir}, Access: access, Errors: func(text string) { t.Log(text) }}
	if allow {
		p.queue = &launch.Queue{Folder: t.TempDir(), Report: func(text string) { t.Error(text) }}
		must(t, p.queue.Load())
		c.Launch, c.Audit = p.queue, func(e AuditEntry) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.audit = append(p.audit, e)
			return nil
		}
	}
	var err error
	p.Server, err = New(t.Context(), c)
	must(t, err)
	return p
}

// browser is a browser that has given the token, and sends a form of a page of ours.
func (p *portal) browser(t *testing.T, target string, form url.Values) *http.Request {
	t.Helper()
	r := httptest.NewRequest("POST", target, strings.NewReader(form.Encode()))
	r.Host, r.Header = "127.0.0.1:4000", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"text/html"}, "Sec-Fetch-Site": {"same-origin"}, "Origin": {"http://127.0.0.1:4000"}}
	login := httptest.NewRequest("GET", "/?token="+url.QueryEscape(testToken), nil)
	login.Host = r.Host
	w := httptest.NewRecorder()
	p.ServeHTTP(w, login)
	for _, c := range w.Result().Cookies() {
		r.AddCookie(c)
	}
	return r
}

func (p *portal) send(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w
}

var formMoment = regexp.MustCompile(`name="at" value="([0-9-]+)"`)

var formToken = regexp.MustCompile(`name="token" value="([0-9a-f]{64})"`)

// A request is a form and where it is sent.
type request struct {
	target string
	form   url.Values
}

// forms are a good request to every action, without the token of the form.
func (p *portal) forms(t *testing.T) (all []request) {
	files, err := p.roots.Files(t.Context())
	must(t, err)
	idOfFile := func(name string) string {
		return files[slices.IndexFunc(files, func(f roots.File) bool { return f.Name == name })].ID
	}
	all = append(all, request{"/launch/" + idOfFile("t.ipynb"), url.Values{"do": {"launch"}, "v.x": {"3"}}},
		request{"/launch/" + idOfFile("sweep.yaml"), url.Values{"do": {"schedule"}, "cron": {"0 4 * * *"}, "tz": {"UTC"}}})
	for _, do := range []string{"rerun", "resume", "cancel", "pause", "go on", "unschedule", "fire now", "reschedule", "catch up"} {
		all = append(all, request{"/s/" + idOf(t, p.Server) + "/do", url.Values{"do": {do}, "cron": {"0 5 * * *"}, "tz": {"UTC"}, "from": {"2026-01-01"}, "to": {"2026-01-02"}}})
	}
	for _, do := range []string{"preview", "when"} {
		all = append(all, request{all[1].target, url.Values{"do": {do}, "cron": {"0 4 * * *"}, "tz": {"UTC"}}})
	}
	return all
}

// Every route that a browser can change something by has a form in these tests, and so
// has every button of the pages.
func TestEveryActionIsTried(t *testing.T) {
	p := newPortal(t, Access{}, true)
	tried := map[string]bool{}
	for _, f := range p.forms(t) {
		tried[f.form.Get("do")] = true
		tried[strings.NewReplacer("/s/"+idOf(t, p.Server), "/s/{sweep}").Replace(f.target)] = true
		if strings.HasPrefix(f.target, "/launch/") {
			tried["/launch/{file}"] = true
		}
	}
	patterns, public := p.guard.Routes()
	for _, pattern := range patterns {
		method, path, _ := strings.Cut(pattern, " ")
		if method != "GET" && !public(pattern) && !tried[path] {
			t.Errorf("no form is sent to %s", pattern)
		}
	}
	pages, err := filepath.Glob("../../templates/web/*.html")
	must(t, err)
	buttons := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		must(t, err)
		for _, button := range regexp.MustCompile(`name="do" value="([^"]*)"`).FindAllSubmatch(text, -1) {
			if buttons++; !tried[string(button[1])] {
				t.Errorf("nothing asks for %q, as a button of %s does", button[1], page)
			}
		}
	}
	if buttons < 10 {
		t.Errorf("%d buttons were found", buttons)
	}
}

// Whatever is wrong with a request to do something, it is refused with 403, nothing is
// done, and the audit log has it.
func TestActionsAreRefused(t *testing.T) {
	evil := map[string]func(r *http.Request){
		"no cookie":              func(r *http.Request) { r.Header.Del("Cookie") },
		"another's cookie":       func(r *http.Request) { r.Header.Set("Cookie", "fanout-4000="+strings.Repeat("a", 64)) },
		"the token as cookie":    func(r *http.Request) { r.Header.Set("Cookie", "fanout-4000="+testToken) },
		"another site":           func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"a sibling of the site":  func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") },
		"another origin":         func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Set("Origin", "https://evil.test") },
		"no origin to speak of":  func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Set("Origin", "null") },
		"rebinding":              func(r *http.Request) { r.Host = "evil.test:4000"; r.Header.Set("Origin", "http://evil.test:4000") },
		"a form from elsewhere":  func(r *http.Request) { body(r, func(v url.Values) { v.Del("token") }) },
		"an invented form":       func(r *http.Request) { body(r, func(v url.Values) { v.Set("token", strings.Repeat("0", 64)) }) },
		"JSON":                   func(r *http.Request) { r.Header.Set("Content-Type", "application/json") },
		"text":                   func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") },
		"a proxy's word for who": func(r *http.Request) { r.Header.Del("Cookie"); r.Header.Set("X-Forwarded-User", "ana") },
	}
	p := newPortal(t, Access{}, true)
	forms := p.forms(t)
	must(t, schedule.Schedule{Crons: []string{"0 4 * * *"}, Zone: "UTC"}.Put(t.Context(), p.store(t)))
	before := p.scheduleText(t)
	for _, f := range forms {
		target, form := f.target, f.form
		form.Set("token", p.actions.Token(context.Background()))
		for what, change := range evil {
			r := p.browser(t, target, form)
			change(r)
			if w := p.send(r); w.Code != http.StatusForbidden {
				t.Errorf("%s, %s: %d %.300s", target, what, w.Code, w.Body)
			}
		}
	}
	for _, id := range []string{"..", "%2e%2e", "..%2f..%2fetc%2fpasswd", "%2Fetc%2Fpasswd", "t.ipynb", "aaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaa", "AAAAAAAAAAAAAAAA", "aaaaaaaa%00aaaaaaa", "aaaaaaaaaaaaaaa%2f", "aaaaaaaaaaaaaaa%0a", "%ef%bc%8e%ef%bc%8e"} {
		for _, target := range []string{"/launch/" + id, "/s/" + id + "/do"} {
			if w := p.send(p.browser(t, target, url.Values{"do": {"launch"}, "token": {p.actions.Token(context.Background())}})); w.Code != http.StatusForbidden {
				t.Errorf("%s: %d %.300s", target, w.Code, w.Body)
			}
		}
	}
	off := newPortal(t, Access{}, false)
	for _, f := range off.forms(t) {
		target, form := f.target, f.form
		form.Set("token", off.actions.Token(context.Background()))
		for _, r := range []*http.Request{off.browser(t, target, form), bearer(off.browser(t, target, form))} {
			if w := off.send(r); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "--allow-launch") {
				t.Errorf("%s without --allow-launch: %d %.300s", target, w.Code, w.Body)
			}
		}
	}
	if len(p.queue.Orders()) != 0 {
		t.Errorf("orders: %+v", p.queue.Orders())
	}
	if now := p.scheduleText(t); now != before {
		t.Errorf("the schedule was changed: %s", now)
	}
	if want := len(forms)*len(evil) + 24; len(p.audit) != want {
		t.Errorf("%d lines in the audit log, want %d", len(p.audit), want)
	}
	for _, e := range p.audit {
		if e.Status != http.StatusForbidden || e.Method != "POST" || e.Action != "" {
			t.Errorf("%+v", e)
		}
	}
}

func (p *portal) store(t *testing.T) store.Store {
	st, err := store.Open(t.Context(), filepath.Join(p.dir, "tides.sweep"))
	must(t, err)
	return st
}

func (p *portal) scheduleText(t *testing.T) string {
	text, err := store.GetSmall(t.Context(), p.store(t), "schedule.json")
	must(t, err)
	return string(text)
}

// From its pages a sweep file is scheduled, and the schedule changed, paused, fired,
// caught up with and removed. What is wrong is said and does nothing; the audit log has
// each deed, and the schedule who wrote it.
func TestScheduleFromPages(t *testing.T) {
	p := newPortal(t, Access{Auth: Proxy, Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Header: "X-Forwarded-User"}, true)
	var commands [][]string
	code := 0
	p.queue.Start = func(_ context.Context, args []string, _ string, log *os.File) (int, error) {
		commands = append(commands, args)
		log.WriteString("fanout: said so\n")
		return code, nil
	}
	send := func(target string, form url.Values) *httptest.ResponseRecorder {
		r := p.browser(t, target, form)
		r.Header.Set("X-Forwarded-User", "ana")
		var token string
		_, _, page := get(p, strings.TrimSuffix(target, "/do"), func(r *http.Request) { r.Header.Set("X-Forwarded-User", "ana") })
		if found := formToken.FindStringSubmatch(page); found != nil {
			token = found[1]
		}
		body(r, func(v url.Values) { v.Set("token", token) })
		return p.send(r)
	}
	forms := p.forms(t)
	file, do := forms[1].target, forms[2].target
	ask := url.Values{"do": {"when"}, "cron": {"30 2 * * *"}, "tz": {"Europe/Berlin"}, "missed": {"each"}, "v.x": {"[1, 2]"}}
	for cron, want := range map[string]string{"30 2 * *": "missing field", "": "When? Fill in", "--job=/etc/passwd": "cron", "0 0 30 2 *": "never fires", "0 4 * * *\n0 5 * * *": "syntax error"} {
		ask.Set("cron", cron)
		if w := send(file, ask); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%q: %d %s", cron, w.Code, w.Body)
		}
	}
	ask.Set("cron", "30 2 * * *")
	if w := send(file, ask); w.Code != http.StatusUnprocessableEntity || strings.Count(w.Body.String(), "02:30 CE") != 5 || len(commands) != 0 { // x is wrong
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	ask.Set("do", "schedule")
	ask.Set("v.x", "7")
	w := send(file, ask)
	where := p.queue.Orders()[0].Where
	if want := []string{"schedule", filepath.Join(p.dir, "sweep.yaml"), "-o", where, "--cron=30 2 * * *", "--tz=Europe/Berlin", "--missed=each", "--set", "x=7", "--for=ana"}; w.Code != 200 || len(commands) != 1 || !slices.Equal(commands[0], want) {
		t.Fatalf("%d %q\n%s", w.Code, commands, w.Body)
	}
	code = 2
	if w := send(file, ask); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "Said so") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := send(do, url.Values{"do": {"pause"}}); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "has no schedule") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	must(t, schedule.Schedule{Crons: []string{"0 4 * * *"}, Zone: "UTC", Bundle: "kits/x"}.Put(t.Context(), p.store(t)))
	for _, step := range []struct {
		form url.Values
		want func(s schedule.Schedule) bool
		code int
	}{
		{url.Values{"do": {"pause"}}, func(s schedule.Schedule) bool { return s.Paused && s.By == "ana" }, 303},
		{url.Values{"do": {"go on"}}, func(s schedule.Schedule) bool { return !s.Paused && time.Since(s.Since) < time.Hour }, 303},
		{url.Values{"do": {"reschedule"}, "cron": {"0 5 * *"}, "tz": {"UTC"}}, func(s schedule.Schedule) bool { return s.Crons[0] == "0 4 * * *" }, 400},
		{url.Values{"do": {"reschedule"}, "cron": {"0 5 * * * and 0 6 * * 1"}, "tz": {"Asia/Kathmandu"}, "missed": {"each"}}, func(s schedule.Schedule) bool {
			return len(s.Crons) == 2 && s.Zone == "Asia/Kathmandu" && s.Missed == "each" && s.Bundle == "kits/x"
		}, 303},
		{url.Values{"do": {"catch up"}, "from": {"2026-01-01"}, "to": {"--in=/etc"}}, func(s schedule.Schedule) bool { return true }, 400},
		{url.Values{"do": {"catch up"}, "from": {"2026-01-01"}, "to": {"2026-01-03"}}, func(s schedule.Schedule) bool { return true }, 303},
		{url.Values{"do": {"fire now"}}, func(s schedule.Schedule) bool { return true }, 400}, // what was asked for has not ended
		{url.Values{"do": {"unschedule"}}, nil, 303},
	} {
		w := send(do, step.form)
		s, err := schedule.Get(t.Context(), p.store(t))
		if w.Code != step.code || (err == nil) != (step.want != nil) || err == nil && !step.want(s) {
			t.Errorf("%v: %d %+v %v %s", step.form, w.Code, s, err, w.Body)
		}
	}
	at := strings.TrimSuffix(do, "/do")
	must(t, schedule.Schedule{Crons: []string{"0 5 * * *"}, Zone: "Asia/Kathmandu", Missed: "each"}.Put(t.Context(), p.store(t)))
	for _, c := range []struct {
		form  url.Values
		wants []string
	}{
		{url.Values{"do": {"reschedule"}, "cron": {"1 5 * * *"}, "tz": {"Mars/Olympus"}, "missed": {"latest"}}, []string{`role="alert">`, "Mars/Olympus", `name="cron" value="1 5 * * *"`, `name="tz" value="Mars/Olympus"`, `<option value="each">`, `Runs at 0 5 * * *, Asia/Kathmandu`}},
		{url.Values{"do": {"catch up"}, "from": {"2026-02-03"}, "to": {"2026-02-01"}}, []string{`role="alert">Catching up: the last day is before the first`, `name="from" value="2026-02-03"`, `name="to" value="2026-02-01"`, `<option value="each" selected>`}},
		{url.Values{"do": {"rerun"}}, []string{"The sweep tides is waiting or running already", `<a href="` + at + `">Back to the sweep</a>`}},
	} {
		w := send(do, c.form)
		for _, want := range c.wants {
			if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), want) {
				t.Errorf("%v: %d, the page lacks %q: %s", c.form, w.Code, want, w.Body)
			}
		}
	}
	_, _, page := get(p, at+"/schedule", func(r *http.Request) { r.Header.Set("X-Forwarded-User", "ana") })
	if _, said, _ := strings.Cut(page, `role="status">Asked for the firings of 2026-01-01 to 2026-01-03, by ana at `); strings.Count(page, `role="status">`) != 1 || !strings.Contains(said, "UTC; they appear below as they begin.</p>") {
		t.Errorf("the page does not say what was asked for: %s", page)
	}
	if o := p.queue.Orders()[0]; o.Kind != launch.Catchup || o.By != "ana" || strings.Join(o.Args, " ") != "schedule catchup "+filepath.Join(p.dir, "tides.sweep")+" --from=2026-01-01 --to=2026-01-03" {
		t.Errorf("%+v", o)
	}
	var deeds []string
	for _, e := range p.audit {
		if e.Action != "" {
			deeds = append(deeds, e.User+" "+e.Action)
		}
	}
	var recorded []string
	history, err := lease.History(t.Context(), p.store(t), 100)
	must(t, err)
	for _, e := range history {
		if e.From == "web" {
			recorded = append(recorded, e.For+" "+e.Command)
		}
	}
	if got := strings.Join(recorded, ", "); got != "ana pause, ana go on, ana reschedule, ana unschedule" {
		t.Errorf("the sweep has recorded: %s", got)
	}
	if got := strings.Join(deeds, ", "); got != "ana schedule, ana schedule, ana pause, ana go on, ana reschedule, ana catch up, ana fire now, ana unschedule, ana rerun" {
		t.Errorf("%s", got)
	}
}

// A sweep that is scheduled and did not run yet has all its tabs: each says so in words,
// and leads to its schedule.
func TestNothingRanYet(t *testing.T) {
	p := newPortal(t, Access{}, true)
	where := filepath.Join(p.dir, "shop-nightly.sweep")
	_, err := sweep.Init(t.Context(), store.Dir(where), "shop")
	must(t, err)
	p.roots.Changed()
	at := "/s/" + roots.ID(where)
	says := func(path string, all ...string) {
		t.Helper()
		code, _, page := get(p, at+path)
		for _, want := range append(all, "Nothing has run yet", `aria-label="The sweep"`, `<a href="`+at+`/schedule">Schedule</a>`) {
			if code != http.StatusConflict || !strings.Contains(page, want) {
				t.Errorf("%s: %d, the page lacks %q:\n%s", path, code, want, page)
			}
		}
	}
	says("", "fanout run SWEEP.yaml -o "+where)
	newYear := schedule.Schedule{Crons: []string{"0 4 1 1 *"}, Zone: "UTC"}
	must(t, newYear.Put(t.Context(), store.Dir(where)))
	due, err := newYear.Next(time.Now())
	must(t, err)
	next := due.Format("Mon 2006-01-02 15:04")
	for _, path := range []string{"", "/runs", "/cells", "/nights", "/tables"} {
		says(path, "it is due next on "+next+" UTC", `<a href="`+at+`/schedule">Its schedule</a> fires it now`)
	}
	failed, err := firing.Begin(t.Context(), store.Dir(where), firing.Firing{Due: time.Now().UTC(), By: "a test"})
	must(t, err)
	must(t, failed.Close(t.Context(), 2, "the template is gone"))
	says("", "The last firing, due", "the template is gone.")
	if code, _, twin := get(p, "/api/v1"+at); code != http.StatusConflict || !strings.Contains(twin, `"error": "`+where+`: nothing is planned yet"`) {
		t.Errorf("%d %s", code, twin)
	}
	if _, _, front := get(p, "/"); !strings.Contains(front, `<h2><a href="`+at+`">shop`) {
		t.Errorf("%s", front)
	}
}

// body changes the form of a request.
func body(r *http.Request, change func(url.Values)) {
	r.ParseForm()
	v := r.PostForm
	change(v)
	again := httptest.NewRequest("POST", "/", strings.NewReader(v.Encode()))
	r.Body, r.ContentLength, r.Form, r.PostForm = again.Body, again.ContentLength, nil, nil
}

func bearer(r *http.Request) *http.Request {
	r.Header.Set("Authorization", "Bearer "+testToken)
	return r
}

// A form shows what would be executed, launches it once, and says who did it; nothing
// but what it has can be set.
func TestLaunch(t *testing.T) {
	p := newPortal(t, Access{Auth: Proxy, Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Header: "X-Forwarded-User"}, true)
	as := func(user string, r *http.Request) *http.Request {
		r.Header.Set("X-Forwarded-User", user) // httptest's requests are from 192.0.2.1
		return r
	}
	show := func(user, path string) string {
		_, _, text := get(p, path, func(r *http.Request) { as(user, r) })
		return text
	}
	files, _ := p.roots.Files(t.Context())
	i := slices.IndexFunc(files, func(f roots.File) bool { return f.Name == "t.ipynb" })
	target := "/launch/" + files[i].ID
	page := show("ana", target)
	token := formToken.FindStringSubmatch(page)
	if token == nil || !strings.Contains(page, `name="v.x" value="0"`) || !strings.Contains(page, `inputmode="numeric"`) {
		t.Fatalf("%s", page)
	}
	form := url.Values{"token": {token[1]}, "do": {"preview"}, "v.x": {"5"}, "v.region": {`"><script>alert(1)</script>`}}
	w := p.send(as("ana", p.browser(t, target, form)))
	if text := w.Body.String(); w.Code != 200 || !strings.Contains(text, "1 new") || strings.Contains(text, "<script>alert") || !strings.Contains(text, `value="launch"`) {
		t.Fatalf("%d %s", w.Code, text)
	}
	form.Set("do", "launch")
	if w := p.send(as("bo", p.browser(t, target, form))); w.Code != http.StatusForbidden {
		t.Errorf("the form of another user: %d", w.Code)
	}
	for name, text := range map[string]string{"v.x": "five", "v.PYTHONPATH": "/tmp", "v.template": "/etc/passwd", "v.python": "/bin/sh", "axis": "output"} {
		wrong := url.Values{"token": {token[1]}, "do": {"launch"}, name: {text}}
		if w := p.send(as("ana", p.browser(t, target, wrong))); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), `role="alert"`) {
			t.Errorf("%s=%s: %d", name, text, w.Code)
		}
	}
	shown := formMoment.FindStringSubmatch(w.Body.String())
	if shown == nil || strings.Contains(w.Body.String(), `<span class="faint path">`+p.dir) || !strings.Contains(w.Body.String(), ">t-"+shown[1]+".sweep</span>") {
		t.Fatalf("the preview does not say where the sweep will be, from the root on: %s", w.Body)
	}
	form.Set("at", shown[1])
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // the name has seconds
	if w := p.send(as("ana", p.browser(t, target, form))); w.Code != http.StatusSeeOther {
		t.Fatalf("launch: %d %s", w.Code, w.Body)
	}
	if w := p.send(as("ana", p.browser(t, target, form))); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "launched already, by ana at ") {
		t.Errorf("a second click: %d %s", w.Code, w.Body)
	}
	orders := p.queue.Orders()
	if name := "t-" + shown[1] + ".sweep"; filepath.Base(orders[0].Where) != name {
		t.Errorf("the preview says %s, and the sweep is %s", name, orders[0].Where)
	}
	again := maps.Clone(form)
	again.Set("do", "preview")
	again.Set("v.x", "6")
	if w := p.send(as("ana", p.browser(t, target, again))); strings.Contains(w.Body.String(), ">t-"+shown[1]+".sweep</span>") {
		t.Errorf("what was changed after its launch would go to the same sweep: %s", w.Body)
	}
	if len(orders) != 1 || orders[0].By != "ana" || !strings.HasPrefix(orders[0].Where, p.dir+string(filepath.Separator)) || orders[0].Args[0] != "run" {
		t.Fatalf("%+v", orders)
	}
	if text := show("ana", "/launch"); !strings.Contains(text, "<td>ana</td>") || !strings.Contains(text, "waiting") || strings.Contains(text, "<script>alert") {
		t.Errorf("%s", text)
	}
	for do, want := range map[string]int{"rerun": http.StatusSeeOther, "delete": http.StatusForbidden, "": http.StatusForbidden} {
		id := idOf(t, p.Server)
		token := formToken.FindStringSubmatch(show("cy", "/s/"+id))
		if token == nil {
			t.Fatal("the page of a sweep with failures has no buttons")
		}
		if want := `value="rerun">Run again what failed</button> <span class="faint">9 up to date, 2 to run again, 1 new but not asked for, about 3.0 s</span>`; !strings.Contains(show("cy", "/s/"+id), want) {
			t.Errorf("the page does not say what the button would do, after %q", want)
		}
		if w := p.send(as("cy", p.browser(t, "/s/"+id+"/do", url.Values{"token": {token[1]}, "do": {do}}))); w.Code != want {
			t.Errorf("%q: %d %s", do, w.Code, w.Body)
		}
	}
	if page := show("cy", "/s/"+idOf(t, p.Server)); !strings.Contains(page, `role="status">Asked for the runs that failed, by cy at `) || !strings.Contains(page, "UTC; they wait for their turn.</p>") {
		t.Errorf("the page does not say what was asked for: %s", page)
	}
	if o := p.queue.Orders()[0]; o.By != "cy" || o.Kind != launch.Rerun || strings.Join(o.Args, " ") != "rerun "+filepath.Join(p.dir, "tides.sweep")+" --failed --frozen" {
		t.Errorf("%+v", o)
	}
	done, requests := 0, 0
	for i, e := range p.audit {
		switch {
		case e.Action != "":
			done++
			if e.User == "" || e.Sweep == "" || p.audit[i+1].Status != http.StatusSeeOther {
				t.Errorf("%+v then %+v", e, p.audit[i+1])
			}
		case e.Method == "POST":
			requests++
		}
	}
	if done != 2 || requests != 13 {
		t.Errorf("the audit log has %d deeds and %d requests", done, requests)
	}
}

// A search also finds what can be launched, where that is allowed.
func TestSearchFindsWhatCanBeLaunched(t *testing.T) {
	p := newPortal(t, Access{}, true)
	if _, _, page := get(p, "/?q=sweep.yaml"); !strings.Contains(page, "To launch: <a href=\"/launch/") || !strings.Contains(page, ">sweep file</span></p>") {
		t.Errorf("%s", page)
	}
	shows := newPortal(t, Access{}, false)
	for _, s := range []struct {
		*portal
		q string
	}{{p, ""}, {p, "?q=nothing+like+it"}, {shows, "?q=sweep.yaml"}} {
		if _, _, page := get(s, "/"+s.q); strings.Contains(page, "To launch:") {
			t.Errorf("%q: %s", s.q, page)
		}
	}
}

// A sweep that is running can be canceled, and nothing else.
func TestCancelFromAPage(t *testing.T) {
	p := newPortal(t, Access{}, true)
	st := store.Dir(filepath.Join(p.dir, "busy.sweep"))
	s := makeSweep(t, st, 2, func(int, sweep.RunState) outcome.Outcome { return outcome.Outcome{} })
	_, _, list := get(p, "/api/v1/?q=busy")
	var v struct{ Sweeps []struct{ ID string } }
	must(t, json.Unmarshal([]byte(list), &v))
	if len(v.Sweeps) != 1 {
		other := serverOf(t, Access{}, p.dir) // the list of sweeps is a few seconds old
		p.roots = other.roots
		_, _, list = get(p, "/api/v1/?q=busy")
		must(t, json.Unmarshal([]byte(list), &v))
	}
	target := "/s/" + v.Sweeps[0].ID
	_, _, page := get(p, target)
	token := formToken.FindStringSubmatch(page)
	if token == nil || !strings.Contains(page, `value="cancel"`) || strings.Contains(page, `value="rerun"`) {
		t.Fatalf("%s", page)
	}
	if want := `value="cancel">Cancel</button> <span class="faint" data-bind="does">0 runs to interrupt, 4 not begun, 0 up to date</span>`; !strings.Contains(page, want) {
		t.Errorf("the page lacks %q: %s", want, page)
	}
	if w := p.send(p.browser(t, target+"/do", url.Values{"token": {token[1]}, "do": {"cancel"}})); w.Code != http.StatusSeeOther {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if _, asked, err := s.Lease().CancelAsked(t.Context()); !asked || err != nil {
		t.Errorf("asked %v, %v", asked, err)
	}
}

// Nobody can be let in who is not known.
func TestLaunchNeedsSomebodyKnown(t *testing.T) {
	a := &app.App{OpenStore: store.Open, Warn: func(string) {}}
	_, err := New(t.Context(), Config{App: a, Roots: []string{t.TempDir()}, Access: Access{Auth: guard.None, Base: "/"}, Launch: &launch.Queue{}})
	if err == nil || !strings.Contains(err.Error(), "--auth none") {
		t.Errorf("%v", err)
	}
}
