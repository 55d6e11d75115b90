package ship

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/syslog"
	"net"
	"net/url"
	"os"
	"strconv"

	"github.com/fanout-dev/fanout/internal/unit"
)

// A sink writes events somewhere. Only one goroutine uses it. It opens what it writes
// to when it has something to write, and again after an error.
type sink interface {
	write([]Event) error
	close() error
}

func newSink(p Place, stderr io.Writer) sink {
	switch {
	case p.kind == kindSyslog:
		return &system{at: p.at}
	case p.kind == kindJournald:
		return &journal{at: p.at}
	case p.at == "":
		return jsonLines{stderr}
	}
	return &file{name: p.at}
}

// text is events as lines of JSON.
func text(events []Event) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, e := range events {
		if err := enc.Encode(e); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// jsonLines writes to what others have opened.
type jsonLines struct{ w io.Writer }

func (j jsonLines) write(events []Event) error {
	b, err := text(events)
	if err == nil {
		_, err = j.w.Write(b)
	}
	return err
}

func (j jsonLines) close() error { return nil }

// file is appended to, whole lines at a time, so that several processes can have the
// same one.
type file struct {
	name string
	f    *os.File
}

func (o *file) write(events []Event) (err error) {
	if o.f == nil {
		if o.f, err = os.OpenFile(o.name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
			o.f = nil
			return err
		}
	}
	return jsonLines{o.f}.write(events)
}

func (o *file) close() error {
	if o.f == nil {
		return nil
	}
	return o.f.Close()
}

// system is syslog, here or elsewhere. A message is the event as JSON, behind the mark by
// which collectors know that it is.
type system struct {
	at string // "" is this machine's, a path is its socket
	w  *syslog.Writer
}

const structured = "@cee: "

func (s *system) dial() (err error) {
	network, raddr := "", ""
	if s.at != "" {
		if network, raddr, err = s.address(); err != nil {
			return err
		}
	}
	s.w, err = syslog.Dial(network, raddr, syslog.LOG_INFO|syslog.LOG_USER, "fanout")
	return err
}

// address is a socket, or a host that is reached by udp or tcp.
func (s *system) address() (network, raddr string, err error) {
	if s.at[0] == '/' {
		return "unixgram", s.at, nil
	}
	u, err := url.Parse(s.at)
	if err != nil || u.Host == "" || u.Scheme != "udp" && u.Scheme != "tcp" {
		return "", "", fmt.Errorf("%q: want the path of a socket, udp://HOST:514 or tcp://HOST:514", s.at)
	}
	return u.Scheme, u.Host, nil
}

func (s *system) write(events []Event) error {
	if s.w == nil {
		if err := s.dial(); err != nil {
			return err
		}
	}
	for _, e := range events {
		b, err := text([]Event{e})
		if err != nil {
			return err
		}
		line, say := structured+string(bytes.TrimSpace(b)), s.w.Info
		switch e.severity() {
		case severityError:
			say = s.w.Err
		case severityWarning:
			say = s.w.Warning
		}
		if err := say(line); err != nil {
			return err // the writer dials again
		}
	}
	return nil
}

func (s *system) close() error {
	if s.w == nil {
		return nil
	}
	return s.w.Close()
}

// Severities, as syslog and the journal number them.
const (
	severityError   = 3
	severityWarning = 4
	severityInfo    = 6
)

func (e Event) severity() int {
	switch {
	case e.Event == "ended" && e.Status != "succeeded" && e.Status != "canceled", e.Event == "exit" && e.Code != nil && *e.Code != 0:
		return severityError
	case e.Event == "warning" || e.Event == "dropped" || e.Event == "blocked":
		return severityWarning
	}
	return severityInfo
}

// journal is the journal of systemd, by the protocol of its socket: a datagram a message,
// of fields that are NAME=value, or NAME, a length and any bytes.
type journal struct {
	at   string
	conn *net.UnixConn
}

const journalSocket = "/run/systemd/journal/socket"

func (j *journal) write(events []Event) (err error) {
	if j.conn == nil {
		at := j.at
		if at == "" {
			at = journalSocket
		}
		if j.conn, err = net.DialUnix("unixgram", nil, &net.UnixAddr{Name: at, Net: "unixgram"}); err != nil {
			return err
		}
	}
	for _, e := range events {
		if _, err := j.conn.Write(e.fields()); err != nil {
			return errors.Join(err, j.close())
		}
	}
	return nil
}

func (j *journal) close() error {
	if j.conn == nil {
		return nil
	}
	err := j.conn.Close()
	j.conn = nil
	return err
}

// fields are an event as the journal reads it.
func (e Event) fields() []byte {
	message := unit.Line(e.Text)
	if e.Run != "" {
		message = e.Run + ": " + message
	}
	all := [][2]string{
		{"MESSAGE", message}, {"PRIORITY", strconv.Itoa(e.severity())}, {"SYSLOG_IDENTIFIER", "fanout"},
		{"FANOUT_TIME", e.Time}, {"FANOUT_EVENT", e.Event}, {"FANOUT_ROLE", e.Role}, {"FANOUT_SWEEP", e.Sweep}, {"FANOUT_PLACE", e.Place},
		{"FANOUT_RUN", e.Run}, {"FANOUT_STEP", e.Step}, {"FANOUT_ATTEMPT", number(e.Attempt)}, {"FANOUT_CELL", number(e.Cell)}, {"FANOUT_STREAM", e.Stream},
		{"FANOUT_STATUS", e.Status}, {"FANOUT_REASON", e.Reason}, {"FANOUT_HOST", e.Host}, {"FANOUT_COUNT", number(e.Count)},
	}
	if e.Seconds > 0 {
		all = append(all, [2]string{"FANOUT_SECONDS", strconv.FormatFloat(e.Seconds, 'f', 3, 64)})
	}
	if e.Code != nil {
		all = append(all, [2]string{"FANOUT_CODE", strconv.Itoa(*e.Code)})
	}
	if b, err := json.Marshal(e.Parameters); err == nil && len(e.Parameters) > 0 {
		all = append(all, [2]string{"FANOUT_PARAMETERS", string(b)})
	}
	var out []byte
	for _, f := range all {
		if f[1] != "" {
			out = append(append(out, f[0]...), '\n')
			out = binary.LittleEndian.AppendUint64(out, uint64(len(f[1])))
			out = append(append(out, f[1]...), '\n')
		}
	}
	return out
}

// number is a number, where there is one.
func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
