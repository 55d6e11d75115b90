// Package gcs speaks the JSON API of Google Cloud Storage. Credentials are looked
// for where Google's own tools look; STORAGE_EMULATOR_HOST names a server that
// wants none.
package gcs

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"

	"github.com/fanout-dev/fanout/internal/store/internal/remote"
)

// Rewrites is how far apart writes of one object have to be: the server takes one
// a second.
const Rewrites = time.Second + time.Second/10

// NoCredentials says what to do where there are none.
const NoCredentials = "there are no credentials: type `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS"

const scope = "https://www.googleapis.com/auth/cloud-platform"

type protocol struct {
	http   *http.Client
	server string // the beginning of every URL
	bucket string
	clock  *remote.Clock
	health *remote.Health
}

// Open returns the protocol for a bucket. It asks no server anything, except that
// credentials may be those of the machine. clock follows the server's,
// and health knows whether it answers.
func Open(ctx context.Context, bucket string, clock *remote.Clock, health *remote.Health) (remote.Protocol, error) {
	base := http.DefaultTransport.(*http.Transport).Clone()
	remote.Limit(base)
	p := &protocol{server: "https://storage.googleapis.com", bucket: url.PathEscape(bucket), clock: clock, health: health}
	p.http = &http.Client{Transport: base, CheckRedirect: stay}
	if host := os.Getenv("STORAGE_EMULATOR_HOST"); host != "" {
		p.server = strings.TrimSuffix(host, "/")
		if !strings.Contains(host, "://") {
			p.server = "http://" + p.server
		}
		return p, nil
	}
	creds, err := google.FindDefaultCredentials(ctx, scope)
	if err != nil {
		return nil, err
	}
	p.http.Transport = &oauth2.Transport{Base: base, Source: creds.TokenSource}
	return p, nil
}

// stay follows no redirection: this API has none, and one would take the
// credentials along.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// name is how the server calls an object: it takes no line breaks.
func name(key string) string {
	return remote.Escape(key, func(c byte) bool { return c == '\n' || c == '\r' })
}

// object is the URL of an object.
func (p *protocol) object(key string) string {
	return p.server + "/storage/v1/b/" + p.bucket + "/o/" + url.PathEscape(name(key))
}

// resource is what the server says of an object.
type resource struct {
	Name     string            `json:"name"`
	Size     int64             `json:"size,string"`
	Updated  time.Time         `json:"updated"`
	Metadata map[string]string `json:"metadata"`
}

func (r resource) object() remote.Object {
	return remote.Object{Key: remote.Unescape(r.Name), Size: r.Size, ModTime: r.Updated, Writer: r.Metadata[remote.WriterKey]}
}

func (p *protocol) Read(ctx context.Context, key string, from int64) (io.ReadCloser, int64, error) {
	header := http.Header{"Accept-Encoding": {"identity"}}
	if from > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", from))
	}
	var res *http.Response
	err := p.ask(ctx, request{method: http.MethodGet, url: p.object(key) + "?alt=media", header: header}, func(r *http.Response) error {
		res = r
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	return checked(res, from), wholeSize(res), nil
}

// wholeSize is the size of the object of which a part was read.
func wholeSize(r *http.Response) int64 {
	if _, of, ok := strings.Cut(r.Header.Get("Content-Range"), "/"); ok {
		if n, err := strconv.ParseInt(of, 10, 64); err == nil {
			return n
		}
	}
	return r.ContentLength
}

// castagnoli is made on the first use, as its table is.
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// checksum is how the server writes the CRC of an object.
func checksum(sum uint32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}

// checkedBody compares what was read with the checksum that the server announced.
type checkedBody struct {
	io.ReadCloser
	sum  uint32
	want string
}

func checked(r *http.Response, from int64) io.ReadCloser {
	if from > 0 || r.StatusCode != http.StatusOK {
		return r.Body
	}
	for _, v := range strings.Split(strings.Join(r.Header.Values("X-Goog-Hash"), ","), ",") {
		if want, ok := strings.CutPrefix(strings.TrimSpace(v), "crc32c="); ok {
			return &checkedBody{r.Body, 0, want}
		}
	}
	return r.Body
}

func (b *checkedBody) Read(to []byte) (int, error) {
	n, err := b.ReadCloser.Read(to)
	b.sum = crc32.Update(b.sum, castagnoli(), to[:n])
	if err == io.EOF && checksum(b.sum) != b.want {
		err = errors.New("it does not have the checksum that the server announced")
	}
	return n, err
}

func (p *protocol) Stat(ctx context.Context, key string) (remote.Object, error) {
	var found resource
	err := p.ask(ctx, request{method: http.MethodGet, url: p.object(key)}, into(&found))
	return found.object(), err
}

func (p *protocol) Copy(ctx context.Context, dst, src string) error {
	to := p.object(src) + "/rewriteTo/b/" + p.bucket + "/o/" + url.PathEscape(name(dst))
	for token := ""; ; { // a large object takes several requests
		var reply struct {
			Done         bool   `json:"done"`
			RewriteToken string `json:"rewriteToken"`
		}
		if err := p.ask(ctx, request{method: http.MethodPost, url: to + "?rewriteToken=" + url.QueryEscape(token)}, into(&reply)); err != nil {
			return err
		}
		if reply.Done {
			return nil
		}
		if reply.RewriteToken == "" || reply.RewriteToken == token {
			return errors.New("the server neither finishes nor continues the copy")
		}
		token = reply.RewriteToken
	}
}

func (p *protocol) Delete(ctx context.Context, key string) error {
	return p.ask(ctx, request{method: http.MethodDelete, url: p.object(key)}, drain)
}

func (p *protocol) Page(ctx context.Context, prefix, delimiter, token string) ([]remote.Object, string, error) {
	q := url.Values{"maxResults": {strconv.Itoa(remote.PageSize)}, "fields": {"items(name,size,updated),prefixes,nextPageToken"}}
	for key, value := range map[string]string{"prefix": name(prefix), "delimiter": delimiter, "pageToken": token} {
		if value != "" || key == "prefix" {
			q.Set(key, value)
		}
	}
	var reply struct {
		Items         []resource `json:"items"`
		Prefixes      []string   `json:"prefixes"`
		NextPageToken string     `json:"nextPageToken"`
	}
	err := p.ask(ctx, request{method: http.MethodGet, url: p.server + "/storage/v1/b/" + p.bucket + "/o?" + q.Encode()}, into(&reply))
	if err != nil {
		return nil, "", err
	}
	var page []remote.Object
	for _, o := range reply.Items {
		page = append(page, o.object())
	}
	for _, folder := range reply.Prefixes {
		page = append(page, remote.Object{Key: remote.Unescape(folder), Folder: true})
	}
	if len(reply.Items) > 0 && len(reply.Prefixes) > 0 { // each of them is in order
		slices.SortFunc(page, func(a, b remote.Object) int { return strings.Compare(a.Key, b.Key) })
	}
	return page, reply.NextPageToken, nil
}

// into decodes a reply.
func into(v any) func(*http.Response) error {
	return func(r *http.Response) error {
		defer r.Body.Close()
		return json.NewDecoder(r.Body).Decode(v)
	}
}

// drain reads a reply to its end, so that its connection is used again.
func drain(r *http.Response) error {
	defer r.Body.Close()
	_, err := io.Copy(io.Discard, r.Body)
	return err
}

// request is one that can be sent again.
type request struct {
	method, url string
	header      http.Header
	body        [][]byte // one after the other
}

func (q request) build(ctx context.Context) (*http.Request, error) {
	open := func() (io.ReadCloser, error) {
		var parts []io.Reader
		for _, b := range q.body {
			parts = append(parts, bytes.NewReader(b))
		}
		return io.NopCloser(io.MultiReader(parts...)), nil
	}
	r, err := http.NewRequestWithContext(ctx, q.method, q.url, nil)
	if err != nil {
		return nil, err
	}
	if q.header != nil {
		r.Header = q.header.Clone()
	}
	for _, b := range q.body {
		r.ContentLength += int64(len(b))
	}
	if r.ContentLength > 0 {
		r.GetBody = open
		r.Body, _ = open()
	}
	return r, nil
}

// once sends a request a single time. A reply of any status is one.
func (p *protocol) once(ctx context.Context, q request) (*http.Response, error) {
	r, err := q.build(ctx)
	if err != nil {
		return nil, err
	}
	return remote.Watched(p.http, p.clock, p.health).Do(r)
}

// ask sends a request until it is answered, or refused for good. read is given a
// reply that is no error, and may be given another.
func (p *protocol) ask(ctx context.Context, q request, read func(*http.Response) error) error {
	for try := 1; ; try++ {
		res, err := p.once(ctx, q)
		if err == nil {
			if err = refusal(res); err == nil {
				err = read(res)
			}
		}
		if err == nil || try == remote.Attempts || ctx.Err() != nil || !passes(err) {
			return err
		}
		remote.Wait(ctx, try)
	}
}
