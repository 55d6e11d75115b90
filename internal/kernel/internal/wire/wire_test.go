package wire

import (
	"encoding/json"
	"errors"
	"net"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func TestEncodeDecodeRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := NewCodec(rapid.SliceOf(rapid.Byte()).Draw(t, "key"))
		text, err := json.Marshal(map[string]string{"text": rapid.String().Draw(t, "text")})
		if err != nil {
			t.Fatal(err)
		}
		m := Message{Header: c.Header("stream"), Content: text}
		if rapid.Bool().Draw(t, "has parent") {
			m.Parent = c.Header("execute_request")
		}
		m.Buffers = rapid.SliceOfN(rapid.SliceOf(rapid.Byte()), 0, 3).Draw(t, "buffers")
		m.Identity = rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 1, 5), 0, 2).Draw(t, "identity")
		frames, err := c.Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Decode(frames)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(m, got, cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("round trip (-sent +received):\n%s", d)
		}
	})
}

// The oracle is openssl, not our own code.
func TestSignatureAgreesWithOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl")
	}
	c := NewCodec([]byte("secret-key"))
	frames, err := c.Encode(Message{Header: c.Header("kernel_info_request"), Content: json.RawMessage(`{"a":"é"}`)})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(openssl, "dgst", "-sha256", "-hmac", "secret-key", "-r")
	in, _ := cmd.StdinPipe()
	go func() {
		for _, f := range frames[2:6] {
			in.Write(f)
		}
		in.Close()
	}()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(frames[1]), string(out[:64]); got != want {
		t.Errorf("signature %s, openssl says %s", got, want)
	}
}

func TestDecodeRefuses(t *testing.T) {
	c := NewCodec([]byte("k"))
	good, err := c.Encode(Message{Header: c.Header("status"), Content: json.RawMessage(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	sign := func(frames ...string) [][]byte {
		var b [][]byte
		for _, f := range frames {
			b = append(b, []byte(f))
		}
		return append([][]byte{delimiter, c.sign(nil, b)}, b...)
	}
	with := func(i int, b string) [][]byte {
		f := append([][]byte(nil), good...)
		f[i] = []byte(b)
		return f
	}
	for _, tt := range []struct {
		name   string
		frames [][]byte
		want   error
	}{
		{"nothing", nil, errMalformed},
		{"no delimiter", good[1:], errMalformed},
		{"too few frames", good[:4], errMalformed},
		{"unsigned", with(1, ""), errSignature},
		{"signature of another key", with(1, string(NewCodec([]byte("x")).sign(nil, good[2:6]))), errSignature},
		{"changed content", with(5, `{"a":1}`), errSignature},
		{"header is not JSON", sign("{", "{}", "{}", "{}"), errMalformed},
		{"header without a type", sign("{}", "{}", "{}", "{}"), errMalformed},
		{"parent is a list", sign(`{"msg_type":"x"}`, "[1]", "{}", "{}"), errMalformed},
		{"metadata is text", sign(`{"msg_type":"x"}`, "{}", `"a"`, "{}"), errMalformed},
		{"content is not JSON", sign(`{"msg_type":"x"}`, "{}", "{}", "{"), errMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := c.Decode(tt.frames); !errors.Is(err, tt.want) {
				t.Errorf("Decode = %v, want %v", err, tt.want)
			}
		})
	}
	if _, err := c.Decode(good); err != nil {
		t.Errorf("Decode of the good message: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	c := NewCodec(nil)
	frames, _ := c.Encode(Message{Header: c.Header("status"), Parent: c.Header("x"), Content: json.RawMessage(`{"a":1}`)})
	f.Add(frames[2], frames[3], frames[4], frames[5])
	f.Add([]byte("{"), []byte("[]"), []byte("null"), []byte(""))
	f.Fuzz(func(t *testing.T, header, parent, metadata, content []byte) {
		m, err := c.Decode([][]byte{delimiter, nil, header, parent, metadata, content})
		if err != nil {
			if !Dropped(err) {
				t.Fatalf("unexpected kind of error: %v", err)
			}
			return
		}
		if m.Header.MsgType == "" || !json.Valid(m.Content) {
			t.Fatalf("accepted %+v", m)
		}
		if _, err := c.Encode(m); err != nil {
			t.Fatalf("cannot encode what was decoded: %v", err)
		}
	})
}

func TestConnCarriesMessagesBothWays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	server := make(chan *Conn, 1)
	codec := NewCodec([]byte("k"))
	go func() {
		raw, err := l.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		c, err := Accept(raw, Shell, codec)
		if err != nil {
			t.Error(err)
			return
		}
		server <- c
	}()
	client, err := Dial(Shell, "unix", path, "me", codec)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	kernel := <-server
	defer kernel.Close()
	if kernel.zmtp.Peer.Meta["Identity"] != "me" {
		t.Errorf("peer = %q", kernel.zmtp.Peer.Meta["Identity"])
	}
	big := json.RawMessage(`"` + string(make64k()) + `"`)
	want := Message{Header: client.Header("execute_request"), Content: big, Buffers: [][]byte{{}, {1, 2}}}
	if err := client.Send(want); err != nil {
		t.Fatal(err)
	}
	got, err := kernel.Receive()
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(Message{}, "Received", "Channel")); d != "" {
		t.Errorf("message (-sent +received):\n%s", d)
	}
	if err := kernel.SendFrames([][]byte{[]byte("garbage")}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Receive(); !Dropped(err) {
		t.Errorf("garbage: %v", err)
	}
	// A frame that claims more bytes than there can be.
	kernel.stream.Conn.Write([]byte{2, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	if _, err := client.Receive(); err == nil || Dropped(err) {
		t.Errorf("impossible frame length: %v", err)
	}
}

func make64k() []byte {
	b := make([]byte, 200_000)
	for i := range b {
		b[i] = 'a' + byte(i%26)
	}
	return b
}
