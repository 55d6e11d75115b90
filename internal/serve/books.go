package serve

import (
	"net/http"
	"net/url"

	"github.com/fanout-dev/fanout/internal/serve/internal/books"
	"github.com/fanout-dev/fanout/internal/serve/internal/trouble"
)

// respond answers with a part of a notebook: a frame, which is of no origin and
// says so itself, or a picture.
func (s *Server) respond(w http.ResponseWriter, r *http.Request, b *books.Book) {
	answer, err := b.Part(r.PathValue("part"), s.origin(r)+s.Access.Base+"-/static/frames/")
	if err != nil {
		s.fail(w, r, trouble.ErrNoFile)
		return
	}
	h := w.Header()
	for _, name := range []string{"X-Frame-Options", "Cross-Origin-Opener-Policy"} { // our pages frame it
		h.Del(name)
	}
	for name, text := range answer.Header {
		h.Set(name, text)
	}
	h.Set("Cache-Control", "private, max-age=3600") // its address has its version
	send(w, r, http.StatusOK, answer.Header["Content-Type"], answer.Body)
}

// origin is how the browser knows this server: frames name it, because their
// own origin is none. A proxy may speak HTTPS for us; the page that the frame is
// in was had from where the frame is.
func (s *Server) origin(r *http.Request) string {
	scheme := "http"
	page, err := url.Parse(r.Referer())
	if s.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" || err == nil && page.Host == r.Host && page.Scheme == "https" {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}
