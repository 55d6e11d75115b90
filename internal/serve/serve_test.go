package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/draft"
	"github.com/fanout-dev/fanout/internal/notebook"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/serve/internal/assets"
	"github.com/fanout-dev/fanout/internal/serve/internal/foreign"
	"github.com/fanout-dev/fanout/internal/serve/internal/guard"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/sweep/sweeptest"
	"github.com/fanout-dev/fanout/internal/table"
)

const testToken = "a token for tests only"

const sweepTemplate = `{"cells": [
 {"cell_type": "code", "id": "a", "metadata": {"tags": ["parameters"]}, "source": "x = 0\nregion = ''\nmodel = ''", "outputs": [], "execution_count": null},
 {"cell_type": "code", "id": "b", "metadata": {}, "source": "glue('y', x * 2)", "outputs": [], "execution_count": null}
], "metadata": {"kernelspec": {"name": "python3", "display_name": "p", "language": "python"}, "language_info": {"name": "python"}}, "nbformat": 4, "nbformat_minor": 5}`

const sweepFile = `name: tides
template: t.ipynb
grid:
  region: [apac, emea]
  x: {range: {from: 1, to: %d}}
parameters: {model: "<script>alert(1)</script>"}
metrics: {y: {goal: maximize, unit: EUR}}
baseline: {region: apac}
`

// makeSweep writes a sweep of 2n runs beneath dir. end says how each ends; an
// empty status leaves it planned.
func makeSweep(t testing.TB, st store.Store, n int, end func(i int, st sweep.RunState) outcome.Outcome) *sweep.Sweep {
	t.Helper()
	return makeSweepOf(t, st, fmt.Sprintf(sweepFile, n), end)
}

// makeSweepOf is makeSweep of another sweep file, for the same template.
func makeSweepOf(t testing.TB, st store.Store, file string, end func(i int, st sweep.RunState) outcome.Outcome) *sweep.Sweep {
	t.Helper()
	s := planSweep(t, st, file)
	for i, run := range s.Runs() {
		o := end(i, run)
		if o.Status == "" {
			continue
		}
		endRun(t, s, run, o)
	}
	return s
}

// planSweep writes a sweep of which nothing was executed, and holds its lease.
func planSweep(t testing.TB, st store.Store, file string) *sweep.Sweep {
	t.Helper()
	ctx, dir := context.Background(), t.TempDir()
	for name, text := range map[string]string{"sweep.yaml": file, "t.ipynb": sweepTemplate} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	d, err := draft.Read(ctx, draft.Source{File: filepath.Join(dir, "sweep.yaml"), AsOf: time.Now()})
	must(t, err)
	s, err := sweep.Init(ctx, st, d.Spec.Name)
	must(t, err)
	_, err = s.Acquire(ctx)
	must(t, err)
	must(t, d.Expand(ctx))
	d.SetSource(st.String())
	_, err = s.Lease().Plan(ctx, d.Plan)
	must(t, err)
	return s
}

// fillSweep is makeSweep of very many runs, which have no notebooks.
func fillSweep(t testing.TB, st store.Store, n int, end func(i int, st sweep.RunState) outcome.Outcome) {
	t.Helper()
	s := planSweep(t, st, fmt.Sprintf(sweepFile, n))
	must(t, sweeptest.Fill(t.Context(), s, func(i int, st sweep.RunState) sweeptest.End {
		e := sweeptest.End{Outcome: end(i, st)}
		if x := xOf(st); e.Outcome.Status == outcome.Succeeded {
			e.Scraps = map[string]json.RawMessage{"y": number(2 * x), "note": json.RawMessage(`"fine"`), "mean loss": number(10 - x)}
		}
		return e
	}))
	must(t, s.Lease().Release())
}

func number(v float64) json.RawMessage { return strconv.AppendFloat(nil, v, 'g', -1, 64) }

func xOf(st sweep.RunState) (x float64) {
	for _, b := range st.Run.Params {
		if b.Name == "x" {
			x, _ = b.Value.Float()
		}
	}
	return x
}

func endRun(t testing.TB, s *sweep.Sweep, run sweep.RunState, o outcome.Outcome) {
	t.Helper()
	ctx := context.Background()
	_, doc, err := s.TemplateOf(ctx, run.Run)
	must(t, err)
	x := xOf(run)
	last := doc.Cells[len(doc.Cells)-1]
	if o.Status == outcome.Succeeded {
		last.Outputs = append(last.Outputs, scrapOutput("y", 2*x), scrapOutput("note", "fine"), scrapOutput("mean loss", 10-x), bar(t, int(x)))
	} else {
		last.Outputs = append(last.Outputs, notebook.Output{Type: "error", Ename: o.Ename, Evalue: o.Evalue, Traceback: []string{"Traceback\x1b[31m <b>most</b>", o.Ename + ": " + o.Evalue}})
	}
	last.Touch()
	a, err := s.Lease().Begin(ctx, run.Run.ID, sweep.Began{Host: "here"})
	must(t, err)
	o.Start, o.End, o.Fingerprint = a.At, a.At.Add(1500*time.Millisecond), s.Current(run.Run)
	must(t, a.End(ctx, doc, o, nil))
}

func scrapOutput(name string, v any) notebook.Output {
	data, _ := json.Marshal(map[string]any{"name": name, "data": v, "encoder": "json", "version": 1})
	return notebook.Output{Type: "display_data", Data: map[string]json.RawMessage{"application/scrapbook.scrap.json+json": data},
		Metadata: map[string]any{"scrapbook": map[string]any{"name": name, "data": true, "display": false}}}
}

// bar is a picture with a bar that is tenths of it wide.
func bar(t testing.TB, tenths int) notebook.Output {
	m := image.NewGray(image.Rect(0, 0, 200, 100))
	for i := range m.Pix {
		m.Pix[i] = 255
		if i%200 < 20*tenths {
			m.Pix[i] = 80
		}
	}
	var file bytes.Buffer
	must(t, png.Encode(&file, m))
	data, err := json.Marshal(file.Bytes())
	must(t, err)
	return notebook.Output{Type: "display_data", Data: map[string]json.RawMessage{"image/png": data}}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// mixed ends every run: the third fails, the fifth times out, the last stays planned.
func mixed(n int) func(int, sweep.RunState) outcome.Outcome {
	return func(i int, _ sweep.RunState) outcome.Outcome {
		switch i {
		case 2:
			return outcome.Outcome{Status: outcome.Failed, Kind: outcome.Exception, Cell: 2, Ename: "ValueError", Evalue: "<img src=x onerror=alert(1)>", Reason: "cell 2 raised ValueError: <img src=x onerror=alert(1)>"}
		case 4:
			return outcome.Outcome{Status: outcome.TimedOut, Kind: outcome.CellTimeout, Cell: 2, Reason: "cell 2 took longer than 5 s"}
		case 2*n - 1:
			return outcome.Outcome{}
		}
		return outcome.Outcome{Status: outcome.Succeeded}
	}
}

// tides is a folder with a sweep of twelve runs, and its server.
func tides(t *testing.T) (*Server, string) {
	t.Helper()
	dir := t.TempDir()
	s := makeSweep(t, store.Dir(filepath.Join(dir, "tides.sweep")), 6, mixed(6))
	must(t, s.Lease().Release())
	collected(t, s.Store())
	return serverOf(t, Access{}, dir), dir
}

// collected writes a table as collecting does.
func collected(t testing.TB, st store.Store) {
	t.Helper()
	var rows [][]any
	for i := range 250 {
		rows = append(rows, []any{strings.Repeat("abcdefgh", 2), []string{"apac", "emea"}[i%2], float64(i), float64(i*i%97) / 7, nil})
	}
	var specs []table.ColumnSpec
	for _, name := range []string{"run_id", "region", "x", "mean loss", "empty"} {
		specs = append(specs, table.ColumnSpec{Name: name, Role: table.RoleFrame})
	}
	data, err := table.Build(specs, rows)
	must(t, err)
	var file bytes.Buffer
	must(t, data.WriteParquet(&file))
	must(t, st.Put(t.Context(), sweep.PrefixResults+"runs.parquet", file.Bytes(), store.Cached))
}

func serverOf(t testing.TB, access Access, roots ...string) *Server {
	t.Helper()
	if access.Auth == "" {
		access.Auth, access.Token = Token, testToken
	}
	if access.Base == "" {
		access.Base = "/"
	}
	access.Address = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4000}
	a := &app.App{OpenStore: store.Open, Warn: func(string) {}, Version: "test"}
	s, err := New(t.Context(), Config{App: a, Roots: roots, Access: access, Errors: func(text string) { t.Log(text) }})
	must(t, err)
	return s
}

// get asks with the token.
func get(s http.Handler, target string, change ...func(*http.Request)) (int, http.Header, string) {
	r := httptest.NewRequest("GET", target, nil)
	r.Host = "127.0.0.1:4000"
	r.Header.Set("Authorization", "Bearer "+testToken)
	r.Header.Set("Accept", "text/html")
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	body, _ := io.ReadAll(w.Result().Body)
	return w.Code, w.Result().Header, string(body)
}

// idOf is the id of the only sweep that a server shows.
func idOf(t testing.TB, s *Server) string {
	t.Helper()
	all, err := s.roots.Sweeps(t.Context())
	must(t, err)
	if len(all.Sweeps) != 1 {
		t.Fatalf("%d sweeps", len(all.Sweeps))
	}
	return all.Sweeps[0].ID
}

// filled is a route with its wildcards filled in.
func filled(pattern, id, run string) string {
	_, path, _ := strings.Cut(pattern, " ")
	digest := strings.Split(assets.Path("x"), "/")[2]
	return strings.NewReplacer("{$}", "", "{sweep}", id, "{run}", run, "{digest}", digest, "{file}", "page.css", "{attempt}", "1", "{part}", "1-0-html", "{table...}", "runs", "{path...}", "tides.sweep/runs", "{key...}", "runs/"+run+".ipynb").Replace(path)
}

// Every route of the mux is refused without a cookie, except those that tell
// nothing; none of them shows anything of what is served.
func TestEveryRouteNeedsALogin(t *testing.T) {
	s, _ := tides(t)
	id := idOf(t, s)
	routes, public := s.guard.Routes()
	open := map[string]bool{"POST /login": true, "GET /healthz": true, "GET /-/static/{digest}/{file}": true, "GET /-/static/frames/{file}": true}
	for _, pattern := range routes {
		if public(pattern) != open[pattern] {
			t.Errorf("%s: is it to be public?", pattern)
		}
		for _, method := range []string{"GET", "HEAD"} {
			r := httptest.NewRequest(method, filled(pattern, id, firstRun(t, s)), nil)
			r.Host = "localhost"
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if !open[pattern] && w.Code != http.StatusUnauthorized {
				t.Errorf("%s %s: %d without a cookie", method, pattern, w.Code)
			}
			if strings.Contains(w.Body.String(), "tides") {
				t.Errorf("%s tells: %s", pattern, w.Body)
			}
		}
	}
	if len(routes) < 15 {
		t.Errorf("only %d routes were walked", len(routes))
	}
}

func firstRun(t testing.TB, s *Server) string {
	t.Helper()
	_, _, body := get(s, "/api/v1/s/"+idOf(t, s)+"/runs")
	var v struct{ Runs []struct{ ID string } }
	must(t, json.Unmarshal([]byte(body), &v))
	return v.Runs[0].ID
}

// Every page answers, has a twin, says what browsers may do, and shows foreign
// text as text.
func TestPages(t *testing.T) {
	s, _ := tides(t)
	id := idOf(t, s)
	_, _, list := get(s, "/api/v1/s/"+id+"/runs?where=run_status+!=+%22succeeded%22")
	var v struct {
		Total int
		Runs  []struct{ ID, Name, Status string }
	}
	must(t, json.Unmarshal([]byte(list), &v))
	if v.Total != 3 || v.Runs[0].Status != "failed" {
		t.Fatalf("runs that did not succeed: %s", list)
	}
	for path, want := range map[string]string{
		"/":              "<h1 class=\"lead\">",
		"/s/" + id:       "12 runs: 9 succeeded, 1 failed, 1 timed out, 1 planned",
		"/s/" + id + "/": "",
		"/s/" + id + "/runs?group=region&sort=-y&rows=5": "Page 1 of 3",
		"/s/" + id + "/runs/" + v.Runs[0].ID:             "Failed in cell 2.",
		"/view/":                                         "tides.sweep/",
		"/view/tides.sweep":                              "This folder is a sweep",
	} {
		code, header, body := get(s, path)
		if want == "" {
			if code != http.StatusNotFound {
				t.Errorf("%s: %d", path, code)
			}
			continue
		}
		if code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d, lacks %q:\n%s", path, code, want, body)
		}
		if header.Get("Content-Security-Policy") != guard.OwnPages || header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: headers %v", path, header)
		}
		for _, foreign := range []string{"<script>alert", "<img src=x", "<b>most", "\x1b"} {
			if strings.Contains(body, foreign) {
				t.Errorf("%s has foreign markup %q", path, foreign)
			}
		}
		if len(body) > 100_000 {
			t.Errorf("%s has %d bytes", path, len(body))
		}
		code, header, twin := get(s, "/api/v1"+path)
		if code != http.StatusOK || header.Get("Content-Type") != "application/json" || !json.Valid([]byte(twin)) {
			t.Errorf("the twin of %s: %d %s", path, code, twin)
		}
	}
}

// Foreign files are shown as nothing that runs.
func TestForeignFiles(t *testing.T) {
	s, dir := tides(t)
	id, run := idOf(t, s), firstRun(t, s)
	for name, text := range map[string]string{"x.svg": "<svg onload=alert(1)>", "x.html": "<script>alert(1)</script>", "x.txt": "text", "x.png": "\x89PNG"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666))
	}
	must(t, os.Symlink("/etc/passwd", filepath.Join(dir, "link.txt")))
	must(t, os.WriteFile(filepath.Join(dir, ".hidden"), []byte("secret"), 0o666))
	for path, want := range map[string]struct {
		code       int
		kind       string
		attachment bool
	}{
		"/files/x.svg": {200, "application/octet-stream", true}, "/files/x.html": {200, "application/octet-stream", true},
		"/files/x.txt": {200, "text/plain; charset=utf-8", false}, "/files/x.png": {200, "image/png", false}, "/files/x.png?download=1": {200, "image/png", true},
		"/s/" + id + "/files/runs/" + run + ".ipynb": {200, "application/octet-stream", true},
		"/files/nowhere": {404, "", false}, "/files/link.txt": {502, "", false}, "/files/.hidden": {404, "", false},
		"/files/..%2f..%2fetc%2fpasswd": {404, "", false}, "/s/" + id + "/files/lease/1": {404, "", false}, "/s/" + id + "/files/FORMAT": {404, "", false},
		"/s/" + id + "/files/runs/..%2fFORMAT": {404, "", false}, "/files/tides.sweep": {404, "", false},
	} {
		code, h, body := get(s, path)
		if code != want.code {
			t.Errorf("%s: %d %s", path, code, body)
			continue
		}
		if code != 200 {
			continue
		}
		if h.Get("Content-Type") != want.kind || h.Get("Content-Security-Policy") != foreign.Policy || (h.Get("Content-Disposition") != "") != want.attachment || h.Get("Cross-Origin-Resource-Policy") != "same-origin" {
			t.Errorf("%s: %v", path, h)
		}
	}
}

// Links of commuter still lead somewhere, and its API reads.
func TestCommuter(t *testing.T) {
	s, dir := tides(t)
	must(t, os.WriteFile(filepath.Join(dir, "a note.md"), []byte("# hi"), 0o666))
	must(t, os.WriteFile(filepath.Join(dir, "note.json"), []byte(`{"name": "of Zeppelin", "paragraphs": [{"text": "%sql select 1", "result": {"code": "SUCCESS", "type": "TABLE", "msg": "day\ttide\nmonday\t7\n"}}]}`), 0o666))
	if code, _, body := get(s, "/view/note.json"); code != http.StatusOK || !strings.Contains(body, "of Zeppelin") || !strings.Contains(body, "<td>monday</td>") {
		t.Errorf("a note of Zeppelin: %d %s", code, body)
	}
	if code, h, _ := get(s, "/view/a%20note.md"); code != http.StatusSeeOther || h.Get("Location") != "/files/a%20note.md" {
		t.Errorf("%d %v", code, h)
	}
	var m struct {
		Name, Path, Type, Format string
		Writable                 bool
		Content                  any
	}
	_, _, body := get(s, "/api/contents/a%20note.md")
	must(t, json.Unmarshal([]byte(body), &m))
	if m.Name != "a note.md" || m.Type != "file" || m.Format != "text" || m.Content != "# hi" || m.Writable {
		t.Errorf("%s", body)
	}
	_, _, body = get(s, "/api/contents/")
	must(t, json.Unmarshal([]byte(body), &m))
	if list, _ := m.Content.([]any); m.Type != "directory" || len(list) != 3 {
		t.Errorf("%s", body)
	}
	_, _, body = get(s, "/api/contents/tides.sweep/runs/"+firstRun(t, s)+".ipynb")
	must(t, json.Unmarshal([]byte(body), &m))
	if doc, _ := m.Content.(map[string]any); m.Type != "notebook" || doc["nbformat"] != 4.0 {
		t.Errorf("%s", body)
	}
	if code, _, _ := get(s, "/api/contents/", func(r *http.Request) { r.Method = "POST" }); code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", code)
	}
}

// A folder of 1,010 entries is listed whole.
func TestManyEntries(t *testing.T) {
	dir := t.TempDir()
	for i := range 1005 {
		must(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("f%04d.txt", i)), nil, 0o666))
	}
	for i := range 5 {
		must(t, os.Mkdir(filepath.Join(dir, fmt.Sprintf("d%d", i)), 0o777))
	}
	s := serverOf(t, Access{}, dir)
	_, _, body := get(s, "/view/")
	if n := strings.Count(body, `<th scope="row">`); n != 1010 {
		t.Errorf("%d entries", n)
	}
}

// A read-only folder is shown as any other, and nothing in a folder changes.
func TestNothingIsWritten(t *testing.T) {
	s, dir := tides(t)
	before := snapshot(t, dir)
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			t.Cleanup(func() { os.Chmod(path, 0o777) })
			return os.Chmod(path, 0o555)
		}
		return err
	}))
	routes, _ := s.guard.Routes()
	id, run := idOf(t, s), firstRun(t, s)
	for _, pattern := range routes {
		if strings.HasSuffix(pattern, "/events") || strings.HasPrefix(pattern, "POST") {
			continue
		}
		if code, _, body := get(s, filled(pattern, id, run)); code >= 500 {
			t.Errorf("%s: %d %s", pattern, code, body)
		}
	}
	if after := snapshot(t, dir); after != before {
		t.Errorf("something was written:\n%s\n%s", before, after)
	}
}

func snapshot(t *testing.T, dir string) string {
	var b strings.Builder
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if !d.IsDir() {
			fmt.Fprintln(&b, path, info.Size(), info.ModTime().UnixNano())
		} else {
			fmt.Fprintln(&b, path)
		}
		return err
	}))
	return b.String()
}

// A sweep that is removed while it is looked at is not there any more, and one
// of another format says so.
func TestSweepsThatAreNotReadable(t *testing.T) {
	s, dir := tides(t)
	id := idOf(t, s)
	if code, _, _ := get(s, "/s/"+id); code != http.StatusOK {
		t.Fatal(code)
	}
	must(t, os.RemoveAll(filepath.Join(dir, "tides.sweep")))
	time.Sleep(1100 * time.Millisecond) // for as long a sweep is believed to be there
	if code, _, body := get(s, "/s/"+id); code != http.StatusNotFound {
		t.Errorf("removed: %d %s", code, body)
	}
	other := t.TempDir()
	must(t, os.WriteFile(filepath.Join(other, "FORMAT"), []byte(`{"format":"fanout-sweep","version":99,"name":"x"}`), 0o666))
	s = serverOf(t, Access{}, other)
	if code, _, body := get(s, "/s/"+idOf(t, s)); code != http.StatusConflict || !strings.Contains(body, "99") {
		t.Errorf("another format: %d %s", code, body)
	}
}

// What a question gets wrong is said.
func TestQuestions(t *testing.T) {
	s, _ := tides(t)
	id := idOf(t, s)
	for query, want := range map[string]string{
		"where=x+%3E": "", "where=nosuch+%3E+1": "", "sort=nosuch": "nosuch", "group=nosuch": "nosuch", "cols=nosuch": "nosuch", "page=0": "page", "rows=x": "rows",
		"where=" + strings.Repeat("a", 9000): "8192",
	} {
		code, _, body := get(s, "/s/"+id+"/runs?"+query)
		if code != http.StatusBadRequest || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", query[:min(len(query), 40)], code, body)
		}
	}
	for _, path := range []string{"/s/nosuch", "/s/" + strings.Repeat("a", 16), "/s/" + id + "/runs/" + strings.Repeat("a", 16), "/s/" + id + "/runs/x", "/s/" + id + "/pictures/x.png"} {
		if code, _, _ := get(s, path); code != http.StatusNotFound {
			t.Errorf("%s: %d", path, code)
		}
	}
	_, _, body := get(s, "/s/"+id+"/runs.csv?where=y+%3E+6&cols=x,y&sort=-y")
	if body != "run_id,x,y\n"+csvOf(t, s, id) {
		t.Errorf("CSV: %s", body)
	}
	_, h, body := get(s, "/s/"+id+"/runs.parquet")
	if !strings.HasPrefix(body, "PAR1") || !strings.Contains(h.Get("Content-Disposition"), "tides-runs.parquet") {
		t.Errorf("Parquet: %v %.20q", h, body)
	}
}

// csvOf is the same answer, from the page's twin.
func csvOf(t *testing.T, s *Server, id string) string {
	_, _, body := get(s, "/api/v1/s/"+id+"/runs?where=y+%3E+6&cols=x,y&sort=-y")
	var v struct {
		Runs []struct {
			ID     string
			Values struct{ X, Y json.Number }
		}
	}
	must(t, json.Unmarshal([]byte(body), &v))
	var b strings.Builder
	last := json.Number("1000")
	for _, r := range v.Runs {
		y, _ := r.Values.Y.Float64()
		if before, _ := last.Float64(); y > before || y <= 6 {
			t.Errorf("y=%v after %v", y, before)
		}
		last = r.Values.Y
		fmt.Fprintf(&b, "%s,%s,%s\n", r.ID, r.Values.X, r.Values.Y)
	}
	if len(v.Runs) == 0 {
		t.Error("no runs")
	}
	return b.String()
}

// Behind a proxy at a sub-path every link and the cookie stay beneath it.
func TestSubPath(t *testing.T) {
	dir := t.TempDir()
	must(t, makeSweep(t, store.Dir(filepath.Join(dir, "a.sweep")), 2, mixed(2)).Lease().Release())
	must(t, makeSweep(t, store.Dir(filepath.Join(dir, "b.sweep")), 2, mixed(2)).Lease().Release())
	s := serverOf(t, Access{Base: "/team/fanout"}, dir)
	for _, path := range []string{"/team/fanout/", "/team/fanout", "/team/fanout/view/"} {
		code, _, body := get(s, path)
		if code != http.StatusOK {
			t.Fatalf("%s: %d", path, code)
		}
		for _, attribute := range []string{`href="/`, `src="/`, `action="/`} {
			if strings.Count(body, attribute) != strings.Count(body, attribute+"team/fanout/") {
				t.Errorf("%s: a link leads out of the base:\n%s", path, body)
			}
		}
	}
	if code, _, _ := get(s, "/"); code != http.StatusNotFound {
		t.Errorf("outside the base: %d", code)
	}
}

// What a browser has is not sent again, and what it gets is compressed.
func TestUnchangedPagesAreNotSent(t *testing.T) {
	s, _ := tides(t)
	path := "/s/" + idOf(t, s) + "/runs"
	_, h, body := get(s, path, func(r *http.Request) { r.Header.Set("Accept-Encoding", "gzip") })
	if h.Get("Content-Encoding") != "gzip" || !bytes.HasPrefix([]byte(body), []byte{0x1f, 0x8b}) {
		t.Errorf("not compressed: %v", h)
	}
	code, _, body := get(s, path, func(r *http.Request) { r.Header.Set("If-None-Match", h.Get("ETag")) })
	if code != http.StatusNotModified || body != "" {
		t.Errorf("again: %d %q", code, body)
	}
}
