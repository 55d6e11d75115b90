package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"
)

// A message on a Pipe is a head and frames: a magic word, the number of the
// channel, the number of frames, the size of each, and the frames.
const (
	magic     = "fNoT"
	headSize  = len(magic) + 1 + 4
	maxFrames = 1 << 20
	// maxPiped is more than any notebook can hold; a peer that announces more
	// announces what is no size.
	maxPiped = 1 << 30
	// step is how much is allocated before it has arrived.
	step = 1 << 20
)

var piped = []string{Shell, IOPub, Stdin, Control}

// ErrPipe is what a Pipe's Receive returns when what arrives is no message, or
// half of one. Nothing after it can be understood.
var ErrPipe = errors.New("its channels broke")

// A Pipe is all channels of one kernel on one stream. Receive may be used by one
// goroutine at a time, Send by any number.
type Pipe struct {
	conn net.Conn
	r    *bufio.Reader
	in   *Codec

	mu  sync.Mutex // guards out and writing
	out *Codec
}

// NewPipe takes over conn. Messages are not signed: nobody else can reach it.
func NewPipe(conn net.Conn) *Pipe {
	c := NewCodec(nil)
	return &Pipe{conn: conn, r: bufio.NewReaderSize(conn, outputBuffer), in: c, out: c.Clone()}
}

// Receive returns the next message of any channel. An error for which Dropped is
// true concerns only that message; any other ends the pipe, and is io.EOF or an
// ErrPipe.
func (p *Pipe) Receive() (Message, error) {
	channel, frames, err := p.frames()
	if err != nil {
		return Message{}, err
	}
	m, err := p.in.Decode(frames)
	m.Channel, m.Received = channel, time.Now()
	return m, err
}

func (p *Pipe) frames() (channel string, frames [][]byte, err error) {
	head := make([]byte, headSize)
	if _, err := io.ReadFull(p.r, head[:1]); err != nil {
		return "", nil, io.EOF // between two messages
	}
	if _, err := io.ReadFull(p.r, head[1:]); err != nil {
		return "", nil, fmt.Errorf("%w: they ended in the middle of a message", ErrPipe)
	}
	at := head[len(magic)]
	n := binary.LittleEndian.Uint32(head[len(magic)+1:])
	if string(head[:len(magic)]) != magic || int(at) >= len(piped) || n > maxFrames {
		return "", nil, fmt.Errorf("%w: no message begins with %q", ErrPipe, head)
	}
	sizes, err := p.take(4 * int64(n))
	if err != nil {
		return "", nil, err
	}
	var total int64
	for i := range n {
		total += int64(binary.LittleEndian.Uint32(sizes[4*i:]))
	}
	if total > maxPiped {
		return "", nil, fmt.Errorf("%w: a message of %d bytes is announced, %d are possible", ErrPipe, total, maxPiped)
	}
	body, err := p.take(total)
	if err != nil {
		return "", nil, err
	}
	frames = make([][]byte, n)
	for i := range frames {
		size := binary.LittleEndian.Uint32(sizes[4*i:])
		frames[i], body = body[:size:size], body[size:]
	}
	return piped[at], frames, nil
}

// take reads n bytes. What was only announced takes no memory.
func (p *Pipe) take(n int64) ([]byte, error) {
	b := make([]byte, 0, min(n, step))
	for int64(len(b)) < n {
		b = slices.Grow(b, int(min(n-int64(len(b)), max(step, int64(len(b))))))
		more := b[len(b):min(int64(cap(b)), n)]
		if _, err := io.ReadFull(p.r, more); err != nil {
			return nil, fmt.Errorf("%w: they ended in the middle of a message", ErrPipe)
		}
		b = b[:len(b)+len(more)]
	}
	return b, nil
}

// Close ends the pipe; a blocked Receive returns.
func (p *Pipe) Close() error { return p.conn.Close() }

// On returns one channel to send on.
func (p *Pipe) On(channel string) Sender { return Sender{p, channel} }

// A Sender sends on one channel of a Pipe.
type Sender struct {
	pipe    *Pipe
	channel string
}

// Header returns a fresh header in the session of the pipe.
func (s Sender) Header(msgType string) Header { return s.pipe.out.Header(msgType) }

// Send writes m.
func (s Sender) Send(m Message) error {
	frames, err := s.pipe.out.Encode(m)
	if err != nil {
		return err
	}
	b := make([]byte, 0, headSize+4*len(frames))
	b = append(b, magic...)
	b = append(b, byte(slices.Index(piped, s.channel)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(frames)))
	for _, f := range frames {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(f)))
	}
	s.pipe.mu.Lock()
	defer s.pipe.mu.Unlock()
	bufs := append(net.Buffers{b}, frames...)
	_, err = bufs.WriteTo(s.pipe.conn)
	return err
}

// Close does nothing: the pipe ends as a whole.
func (s Sender) Close() error { return nil }
