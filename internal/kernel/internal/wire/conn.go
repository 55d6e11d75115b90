package wire

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/go-zeromq/zmq4"
	"github.com/go-zeromq/zmq4/security/null"
)

const (
	outputBuffer = 64 << 10 // for reading IOPub, where nearly all bytes are
	buffer       = 4 << 10
	// handshakeLimit bounds the ZMTP greeting, so that a peer that accepts and
	// sends nothing cannot block its client for ever.
	handshakeLimit = 10 * time.Second
)

// A Conn is one ZMTP connection of one channel. Receive may be used by one
// goroutine at a time, Send by any number.
//
// Note: zmq4's own sockets are not used: their Dial sleeps 250 ms between
// tries, they queue in a goroutine each, and they write every frame by itself.
// The library's ZMTP connection over a buffered stream has none of that.
type Conn struct {
	channel string
	zmtp    *zmq4.Conn
	stream  *stream
	in      *Codec

	mu  sync.Mutex // guards out and writing
	out *Codec
}

// stream buffers both directions of a connection.
type stream struct {
	net.Conn
	r      *bufio.Reader
	w      *bufio.Writer
	opened bool // the handshake is over: writes wait for flush
}

func (s *stream) Read(p []byte) (int, error) { return s.r.Read(p) }

func (s *stream) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	if err == nil && !s.opened {
		err = s.w.Flush()
	}
	return n, err
}

// Dial connects to a bound channel of a kernel: network "unix" or "tcp".
// identity routes replies; IOPub subscribes to everything.
func Dial(channel, network, address, identity string, codec *Codec) (*Conn, error) {
	raw, err := net.Dial(network, address)
	if err != nil {
		return nil, err
	}
	kind := zmq4.Dealer
	if channel == IOPub {
		kind = zmq4.Sub
	}
	c, err := open(raw, channel, kind, identity, false, codec)
	if err != nil {
		return nil, err
	}
	if channel == IOPub {
		if err := c.SendFrames([][]byte{{1}}); err != nil {
			c.Close()
			return nil, fmt.Errorf("subscribe to %s: %w", channel, err)
		}
	}
	return c, nil
}

// Accept serves a connection that a listener of the kernel's side accepted.
func Accept(raw net.Conn, channel string, codec *Codec) (*Conn, error) {
	kind := zmq4.Router
	if channel == IOPub {
		kind = zmq4.XPub
	}
	return open(raw, channel, kind, "", true, codec)
}

func open(raw net.Conn, channel string, kind zmq4.SocketType, identity string, server bool, codec *Codec) (*Conn, error) {
	size := buffer
	if channel == IOPub && !server {
		size = outputBuffer
	}
	s := &stream{Conn: raw, r: bufio.NewReaderSize(raw, size), w: bufio.NewWriterSize(raw, buffer)}
	raw.SetDeadline(time.Now().Add(handshakeLimit))
	z, err := zmq4.Open(s, null.Security(), kind, zmq4.SocketIdentity(identity), server, nil)
	if err != nil {
		raw.Close()
		return nil, fmt.Errorf("greet %s: %w", channel, err)
	}
	raw.SetDeadline(time.Time{})
	s.opened = true
	return &Conn{channel: channel, zmtp: z, stream: s, in: codec.Clone(), out: codec.Clone()}, nil
}

// Header returns a fresh header in the session of the connection.
func (c *Conn) Header(msgType string) Header { return c.out.Header(msgType) }

// Send signs and writes m.
func (c *Conn) Send(m Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	frames, err := c.out.Encode(m)
	if err != nil {
		return err
	}
	return c.write(frames)
}

// SendFrames writes frames as they are.
func (c *Conn) SendFrames(frames [][]byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.write(frames)
}

func (c *Conn) write(frames [][]byte) error {
	if err := c.zmtp.SendMsg(zmq4.NewMsgFrom(frames...)); err != nil {
		return err
	}
	return c.stream.w.Flush()
}

// Receive returns the next message. An error for which
// Dropped is true concerns only that message; any other ends the connection.
func (c *Conn) Receive() (Message, error) {
	frames, err := c.ReceiveFrames()
	if err != nil {
		return Message{}, err
	}
	m, err := c.in.Decode(frames)
	m.Channel, m.Received = c.channel, time.Now()
	return m, err
}

// ReceiveFrames returns the frames of the next message, unverified.
func (c *Conn) ReceiveFrames() (frames [][]byte, err error) {
	// A frame length beyond any memory makes the library's allocation panic.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("read %s: %v", c.channel, p)
		}
	}()
	for {
		msg, err := c.zmtp.RecvMsg()
		if err != nil {
			return nil, err
		}
		if msg.Type == zmq4.UsrMsg {
			return msg.Frames, nil
		}
	}
}

// Close ends the connection; a blocked Receive returns.
func (c *Conn) Close() error { return c.stream.Conn.Close() }

// Dropped reports whether err means one refused message rather than the end
// of the connection.
func Dropped(err error) bool {
	return errors.Is(err, errMalformed) || errors.Is(err, errSignature)
}
