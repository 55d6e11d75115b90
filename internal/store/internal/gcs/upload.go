package gcs

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/fanout-dev/fanout/internal/store/internal/remote"
)

// chunkSize is how much of an object is sent with one request, in bytes: a
// multiple of 256 KiB, as the server demands.
const chunkSize = 16 << 20

// about is what the server is to keep of an object besides its bytes.
type about struct {
	Name     string            `json:"name"`
	Type     string            `json:"contentType"`
	Metadata map[string]string `json:"metadata,omitempty"`
	CRC      string            `json:"crc32c,omitempty"`
}

func aboutOf(key string, h remote.Header) about {
	a := about{Name: name(key), Type: remote.ContentType(key)}
	if h.Writer != "" {
		a.Metadata = map[string]string{remote.WriterKey: h.Writer}
	}
	return a
}

func (a about) json() []byte {
	text, err := json.Marshal(a)
	if err != nil {
		panic(err) // strings
	}
	return text
}

// uploads is the URL of an upload.
func (p *protocol) uploads(kind string, h remote.Header) string {
	to := p.server + "/upload/storage/v1/b/" + p.bucket + "/o?uploadType=" + kind
	if h.Absent {
		to += "&ifGenerationMatch=0"
	}
	return to
}

func (p *protocol) Put(ctx context.Context, key string, data []byte, h remote.Header) error {
	a, boundary := aboutOf(key, h), rand.Text() // which no object has
	a.CRC = checksum(crc32.Checksum(data, castagnoli()))
	head := fmt.Sprintf("--%s\r\nContent-Type: application/json; charset=utf-8\r\n\r\n%s\r\n--%s\r\nContent-Type: %s\r\n\r\n", boundary, a.json(), boundary, a.Type)
	return p.ask(ctx, request{
		method: http.MethodPost, url: p.uploads("multipart", h),
		header: http.Header{"Content-Type": {"multipart/related; boundary=" + boundary}},
		body:   [][]byte{[]byte(head), data, []byte("\r\n--" + boundary + "--\r\n")},
	}, drain)
}

func (p *protocol) Stream(ctx context.Context, key string, r io.Reader) error {
	from := bufio.NewReader(r)
	chunk, last, err := next(from)
	if err != nil {
		return err
	}
	if last {
		return p.Put(ctx, key, chunk, remote.Header{})
	}
	u, err := p.begin(ctx, key)
	for err == nil {
		u.sum = crc32.Update(u.sum, castagnoli(), chunk)
		if err = u.send(ctx, chunk, last); last || err != nil {
			return err
		}
		chunk, last, err = next(from)
	}
	return err
}

// next reads a chunk, and says whether it is the last. Each has memory of its own:
// a request that was answered early may still be sending the one before.
func next(r *bufio.Reader) (chunk []byte, last bool, err error) {
	chunk = make([]byte, chunkSize)
	n, err := io.ReadFull(r, chunk)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return chunk[:n], true, nil
	}
	if err != nil {
		return nil, false, err
	}
	_, err = r.Peek(1)
	if err == io.EOF {
		return chunk, true, nil
	}
	return chunk, false, err
}

// upload is one in several requests. The server keeps the object apart until the
// last one.
type upload struct {
	p   *protocol
	url string
	at  int64  // how much the server has
	sum uint32 // of everything up to the end of this chunk
}

func (p *protocol) begin(ctx context.Context, key string) (*upload, error) {
	u := &upload{p: p}
	h := remote.Header{}
	err := p.ask(ctx, request{
		method: http.MethodPost, url: p.uploads("resumable", h),
		header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}, body: [][]byte{aboutOf(key, h).json()},
	}, func(r *http.Response) error {
		u.url = r.Header.Get("Location")
		return drain(r)
	})
	if err != nil {
		return nil, err
	}
	to, err := url.Parse(u.url)
	if err != nil || to.Path == "" {
		return nil, fmt.Errorf("the server begins an upload at %q, which is no URL", u.url)
	}
	u.url = p.server + to.RequestURI() // wherever it says: the credentials go to this server alone
	return u, nil
}

// send sends a chunk, as often and from where it takes.
func (u *upload) send(ctx context.Context, chunk []byte, last bool) error {
	end := u.at + int64(len(chunk))
	lost := false // we do not know how much the server has
	for try := 1; ; try++ {
		before := u.at
		done, err := u.sendOnce(ctx, u.request(chunk[int64(len(chunk))-(end-u.at):], end, last, lost), end)
		switch {
		case done && !last:
			return errors.New("the server ended the upload before all was sent")
		case done, err == nil && u.at == end && !last:
			return nil
		case err == nil && try >= remote.Attempts:
			return errors.New("the server takes no more of the object")
		case err != nil && (try >= remote.Attempts || ctx.Err() != nil || !passes(err)):
			return err
		}
		if lost = err != nil; u.at > before {
			try = 0
			continue
		}
		remote.Wait(ctx, try)
	}
}

// sendOnce sends one request of an upload, and says whether it was the last.
func (u *upload) sendOnce(ctx context.Context, q request, end int64) (done bool, err error) {
	res, err := u.p.once(ctx, q)
	if err != nil {
		return false, err
	}
	if res.StatusCode == http.StatusPermanentRedirect { // of an upload: it is not whole yet
		u.at, err = has(res, u.at, end)
		return false, err
	}
	if err := refusal(res); err != nil {
		return false, err
	}
	return true, res.Body.Close()
}

// request sends what is left of a chunk that ends at end, or asks how much the
// server has.
func (u *upload) request(left []byte, end int64, last, ask bool) request {
	total := "*"
	if last {
		total = strconv.FormatInt(end, 10)
	}
	q := request{method: http.MethodPut, url: u.url, header: http.Header{}}
	if ask || len(left) == 0 {
		q.header.Set("Content-Range", "bytes */"+total)
		return q
	}
	q.body = [][]byte{left}
	q.header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%s", u.at, end-1, total))
	if last {
		q.header.Set("X-Goog-Hash", "crc32c="+checksum(u.sum))
	}
	return q
}

// has reads how much the server has, of what it had and was sent.
func has(r *http.Response, had, sent int64) (int64, error) {
	if err := drain(r); err != nil {
		return had, err
	}
	n := int64(0)
	if text, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes=0-"); ok {
		last, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return had, fmt.Errorf("the server has %q of the upload", text)
		}
		n = last + 1
	}
	if n < had || n > sent {
		return had, fmt.Errorf("the server has %d bytes of the upload, which is at %d", n, sent)
	}
	return n, nil
}
