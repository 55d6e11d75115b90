package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// piping returns a pipe that reads what is written to the connection.
func piping(t *testing.T) (*Pipe, net.Conn) {
	ours, theirs := net.Pipe()
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	return NewPipe(ours), theirs
}

func head(magic string, channel byte, sizes ...uint32) []byte {
	b := append([]byte(magic), channel)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(sizes)))
	for _, s := range sizes {
		b = binary.LittleEndian.AppendUint32(b, s)
	}
	return b
}

func TestPipeRoundTrip(t *testing.T) {
	here, conn := piping(t)
	there := NewPipe(conn)
	for _, channel := range piped {
		m := Message{
			Header: there.On(channel).Header("comm_msg"), Content: []byte(`{"a":1}`), Metadata: map[string]any{"b": "c"},
			Buffers: [][]byte{bytes.Repeat([]byte("x"), 3*step+1), {}, {0}}, Identity: [][]byte{[]byte("topic")},
		}
		m.Parent = there.On(channel).Header("execute_request")
		go there.On(channel).Send(m)
		got, err := here.Receive()
		if err != nil {
			t.Fatal(err)
		}
		m.Channel = channel
		if d := cmp.Diff(m, got, cmp.Comparer(bytes.Equal), cmpopts.IgnoreFields(Message{}, "Received")); d != "" {
			t.Errorf("%s (-sent +received):\n%s", channel, d)
		}
	}
}

// What is no message ends the pipe, with a sentence, and takes no memory.
func TestPipeRefusesWhatIsNoMessage(t *testing.T) {
	for name, c := range map[string]struct {
		sent []byte
		says string
	}{
		"garbage":       {bytes.Repeat([]byte{0xff}, 100), "no message begins with"},
		"text":          {[]byte("Traceback (most recent call last)"), "no message begins with"},
		"a channel":     {head(magic, 9, 1), "no message begins with"},
		"many frames":   {append([]byte(magic+"\x01"), 0xff, 0xff, 0xff, 0xff), "no message begins with"},
		"2 GB":          {head(magic, 1, 2_000_000_000), "2000000000 bytes"},
		"2 GB together": {head(magic, 1, 1_000_000_000, 1_000_000_000), "2000000000 bytes"},
		"half a head":   {[]byte(magic), "in the middle of a message"},
		"half a frame":  {append(head(magic, 1, 1<<29), "half"...), "in the middle of a message"},
	} {
		t.Run(name, func(t *testing.T) {
			p, conn := piping(t)
			go func() { conn.Write(c.sent); conn.Close() }()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := p.Receive()
			runtime.ReadMemStats(&after)
			if !errors.Is(err, ErrPipe) || !strings.Contains(err.Error(), c.says) || Dropped(err) {
				t.Errorf("error %v", err)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 16<<20 {
				t.Errorf("%d bytes allocated for what never arrived", n)
			}
		})
	}
	p, conn := piping(t)
	conn.Close()
	if _, err := p.Receive(); err != io.EOF {
		t.Errorf("the end between two messages: %v", err)
	}
}

// A message that is whole and wrong concerns nobody else.
func TestPipeDropsMalformedMessages(t *testing.T) {
	p, conn := piping(t)
	there := NewPipe(conn)
	go func() {
		conn.Write(append(head(magic, 1, 4), "junk"...))
		conn.Write(head(magic, 1))
		there.On(IOPub).Send(Message{Header: there.On(IOPub).Header("status")})
	}()
	for range 2 {
		if _, err := p.Receive(); !Dropped(err) {
			t.Fatalf("error %v", err)
		}
	}
	if m, err := p.Receive(); err != nil || m.Header.MsgType != "status" {
		t.Errorf("%v, %v", m, err)
	}
}
