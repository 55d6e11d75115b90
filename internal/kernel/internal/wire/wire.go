// Package wire speaks the Jupyter message protocol over ZMTP connections.
//
// In go messages; out go frames, and the other way round. Every message is
// signed and verified with HMAC-SHA256. Either end may use it: kernels bind
// (Listen), clients dial (Dial).
//
// It promises that a message that is not whole, not signed with the key or not
// JSON never reaches the caller, and that frames are passed on byte for byte.
// It does not know what messages mean, nor does it retry, queue or reconnect.
package wire

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Channel names, as the Jupyter protocol calls them.
const (
	Shell   = "shell"
	IOPub   = "iopub"
	Stdin   = "stdin"
	Control = "control"
)

const (
	protocolVersion = "5.3"
	userName        = "fanout"
)

// Header identifies a message. A zero header means "no parent".
type Header struct {
	MsgID    string `json:"msg_id"`
	MsgType  string `json:"msg_type"`
	Session  string `json:"session"`
	Username string `json:"username"`
	Date     string `json:"date"` // ISO 8601 as the sender wrote it
	Version  string `json:"version"`
}

// Message is one Jupyter message. Content is valid JSON; Buffers and Content
// belong to the receiver.
type Message struct {
	Header   Header
	Parent   Header
	Metadata map[string]any
	Content  json.RawMessage
	Buffers  [][]byte
	Channel  string    // shell, iopub, stdin or control
	Received time.Time // when its last frame was read
	Identity [][]byte  // routing frames before the delimiter
}

var (
	delimiter = []byte("<IDS|MSG>")
	emptyJSON = []byte("{}")
)

// Errors of Decode. A message that is refused for one of them must be
// dropped: nothing in it can be trusted.
var (
	errMalformed = errors.New("malformed message")
	errSignature = errors.New("message is not signed with the key of the connection")
)

// A Codec signs and verifies the messages of one connection file. It is not
// safe for concurrent use; use Clone for every reader and writer.
type Codec struct {
	key     []byte
	mac     hash.Hash
	session string
	count   *atomic.Int64
}

// NewCodec returns a codec for key. An empty key means unsigned messages, as
// the protocol has it.
func NewCodec(key []byte) *Codec {
	c := &Codec{key: key, session: NewID(), count: new(atomic.Int64)}
	c.init()
	return c
}

// Clone returns a codec of the same key and session.
func (c *Codec) Clone() *Codec {
	d := &Codec{key: c.key, session: c.session, count: c.count}
	d.init()
	return d
}

func (c *Codec) init() {
	if len(c.key) > 0 {
		c.mac = hmac.New(sha256.New, c.key)
	}
}

// Session is the session id in the headers the codec writes.
func (c *Codec) Session() string { return c.session }

// NewID returns 32 random hexadecimal digits.
func NewID() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// Header returns a fresh header for a message of type msgType.
func (c *Codec) Header(msgType string) Header {
	return Header{
		MsgID:    c.session + "_" + strconv.FormatInt(c.count.Add(1), 10),
		MsgType:  msgType,
		Session:  c.session,
		Username: userName,
		Date:     time.Now().UTC().Format("2006-01-02T15:04:05.000000Z"),
		Version:  protocolVersion,
	}
}

func (c *Codec) sign(dst []byte, frames [][]byte) []byte {
	if c.mac == nil {
		return dst
	}
	c.mac.Reset()
	for _, f := range frames {
		c.mac.Write(f)
	}
	var sum [sha256.Size]byte
	return hex.AppendEncode(dst, c.mac.Sum(sum[:0]))
}

// Encode returns the frames of m: identities, delimiter, signature, header,
// parent header, metadata, content, buffers.
func (c *Codec) Encode(m Message) ([][]byte, error) {
	header, err := json.Marshal(m.Header)
	if err != nil {
		return nil, fmt.Errorf("encode header: %w", err)
	}
	parent := emptyJSON
	if m.Parent != (Header{}) {
		if parent, err = json.Marshal(m.Parent); err != nil {
			return nil, fmt.Errorf("encode parent header: %w", err)
		}
	}
	metadata := emptyJSON
	if len(m.Metadata) > 0 {
		if metadata, err = json.Marshal(m.Metadata); err != nil {
			return nil, fmt.Errorf("encode metadata: %w", err)
		}
	}
	content := []byte(m.Content)
	if len(content) == 0 {
		content = emptyJSON
	}
	signed := [][]byte{header, parent, metadata, content}
	frames := make([][]byte, 0, len(m.Identity)+6+len(m.Buffers))
	frames = append(frames, m.Identity...)
	frames = append(frames, delimiter, c.sign(make([]byte, 0, 64), signed))
	frames = append(frames, signed...)
	return append(frames, m.Buffers...), nil
}

// Decode reads the frames of one message. The message aliases frames.
func (c *Codec) Decode(frames [][]byte) (Message, error) {
	var m Message
	at := -1
	for i, f := range frames {
		if bytes.Equal(f, delimiter) {
			at = i
			break
		}
	}
	if at < 0 {
		return m, fmt.Errorf("%w: no delimiter in %d frames", errMalformed, len(frames))
	}
	if len(frames) < at+6 {
		return m, fmt.Errorf("%w: %d frames after the delimiter, 5 needed", errMalformed, len(frames)-at-1)
	}
	signed := frames[at+2 : at+6]
	if c.mac != nil {
		var want [2 * sha256.Size]byte
		if !hmac.Equal(c.sign(want[:0], signed), frames[at+1]) {
			return m, errSignature
		}
	}
	if err := json.Unmarshal(signed[0], &m.Header); err != nil {
		return m, fmt.Errorf("%w: header: %w", errMalformed, err)
	}
	if m.Header.MsgType == "" {
		return m, fmt.Errorf("%w: header names no message type", errMalformed)
	}
	if err := decodeObject(signed[1], &m.Parent); err != nil {
		return m, fmt.Errorf("%w: parent header: %w", errMalformed, err)
	}
	if err := decodeObject(signed[2], &m.Metadata); err != nil {
		return m, fmt.Errorf("%w: metadata: %w", errMalformed, err)
	}
	if !valid(signed[3]) {
		return m, fmt.Errorf("%w: content is not JSON", errMalformed)
	}
	m.Content = signed[3]
	m.Identity = frames[:at]
	if len(frames) > at+6 {
		m.Buffers = frames[at+6:]
	}
	return m, nil
}

// valid is json.Valid at several times its speed: content may be an image of
// many megabytes.
func valid(b []byte) bool {
	return jsontext.Value(b).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// decodeObject skips the empty object, by far the commonest frame.
func decodeObject(b []byte, into any) error {
	if len(b) == 0 || bytes.Equal(b, emptyJSON) {
		return nil
	}
	return json.Unmarshal(b, into)
}
