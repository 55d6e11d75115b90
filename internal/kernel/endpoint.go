package kernel

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/fanout-dev/fanout/internal/kernel/internal/proc"
	"github.com/fanout-dev/fanout/internal/kernel/internal/wire"
)

// maxSocketPath is the longest path a Unix socket may have on every system we
// run on: Linux allows 107 bytes, macOS 103.
const maxSocketPath = 103

// Ports, or suffixes of ipc paths, by channel.
var channels = []string{wire.Shell, wire.IOPub, wire.Stdin, wire.Control, "hb"}

// An endpoint is where one kernel binds: its connection file and addresses.
type endpoint struct {
	id        string
	transport string // ipc or tcp
	why       string // why not ipc
	dir       string // private directory of the connection file and the sockets
	file      string // the connection file
	key       string
	ip        string
	ports     map[string]int
	gone      sync.Once
}

var sequence atomic.Int64 // of connection files

// newEndpoint creates a directory and a connection file. tcp asks for TCP even
// where ipc is possible; why is then the reason.
func newEndpoint(name string, tcp bool, why string) (*endpoint, error) {
	e := &endpoint{id: proc.NewID(), key: wire.NewID(), ports: map[string]int{}, transport: "ipc"}
	dir, short, err := privateDir()
	if err != nil {
		return nil, err
	}
	e.dir = dir
	seq := strconv.FormatInt(sequence.Add(1), 36)
	e.file = filepath.Join(dir, seq+".json")
	if !short && !tcp {
		tcp, why = true, fmt.Sprintf("no directory for sockets has a path under %d bytes and allows sockets to be created", maxSocketPath)
	}
	if tcp {
		e.transport, e.why, e.ip = "tcp", why, "127.0.0.1"
		err = e.choosePorts()
	} else {
		e.ip = filepath.Join(dir, seq)
		for i, c := range channels {
			e.ports[c] = i + 1
		}
	}
	if err == nil {
		err = e.write(name)
	}
	if err != nil {
		e.remove()
		return nil, err
	}
	return e, nil
}

// choosePorts finds five free ports. Another process may take one before the
// kernel does; the start then fails and is tried again with others.
func (e *endpoint) choosePorts() error {
	var open []net.Listener
	defer func() {
		for _, l := range open {
			l.Close()
		}
	}()
	for _, c := range channels {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("find a free port: %w", err)
		}
		open = append(open, l)
		e.ports[c] = l.Addr().(*net.TCPAddr).Port
	}
	return nil
}

func (e *endpoint) write(name string) error {
	doc := map[string]any{
		"transport": e.transport, "ip": e.ip, "key": e.key,
		"signature_scheme": "hmac-sha256", "kernel_name": name,
	}
	for c, p := range e.ports {
		doc[c+"_port"] = p
	}
	b, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("encode connection file: %w", err)
	}
	if err := os.WriteFile(e.file, b, 0o600); err != nil {
		return fmt.Errorf("write connection file: %w", err)
	}
	return nil
}

// addresses returns where a channel may be found: kernels differ in how they
// join an ipc path and a port.
func (e *endpoint) addresses(channel string) (network string, addrs []string) {
	p := strconv.Itoa(e.ports[channel])
	if e.transport == "tcp" {
		return "tcp", []string{net.JoinHostPort(e.ip, p)}
	}
	return "unix", []string{e.ip + "-" + p, e.ip + ":" + p}
}

// remove deletes the connection file and the sockets.
func (e *endpoint) remove() {
	e.gone.Do(func() {
		os.Remove(e.file)
		if e.transport == "ipc" {
			for _, c := range channels {
				_, addrs := e.addresses(c)
				for _, a := range addrs {
					os.Remove(a)
				}
			}
		}
		leavePrivateDir()
	})
}

// private is the one directory of this process for sockets, created with the
// first kernel and removed with the last.
var private struct {
	sync.Mutex
	dir   string
	short bool
	users int
}

// privateDir returns a directory with mode 0700 and whether sockets can be
// created in it. Every call needs one of leavePrivateDir.
func privateDir() (dir string, short bool, err error) {
	private.Lock()
	defer private.Unlock()
	// Such directories may be swept away when their user logs out.
	if _, gone := os.Stat(private.dir); private.users == 0 || gone != nil {
		private.dir, private.short, err = makePrivateDir(socketBases())
		if err != nil {
			return "", false, err
		}
		proc.RemoveAfterDeath(private.dir)
	}
	private.users++
	return private.dir, private.short, nil
}

func leavePrivateDir() {
	private.Lock()
	defer private.Unlock()
	private.users--
	if private.users == 0 {
		os.RemoveAll(private.dir)
	}
}

// socketBases are places for the private directory; memory comes before disks.
func socketBases() []string {
	return []string{os.Getenv("XDG_RUNTIME_DIR"), "/dev/shm", os.TempDir(), "/tmp", "/var/tmp"}
}

// makePrivateDir creates the directory in the first base where sockets work,
// else in the first that can be written.
func makePrivateDir(bases []string) (dir string, short bool, err error) {
	var fallback string
	var errs []error
	for _, base := range bases {
		if base == "" {
			continue
		}
		d := filepath.Join(base, "fanout-"+proc.Token)
		if err := os.Mkdir(d, 0o700); err != nil {
			errs = append(errs, err)
			continue
		}
		if socketsWork(d) {
			if fallback != "" {
				os.Remove(fallback)
			}
			return d, true, nil
		}
		if fallback != "" {
			os.Remove(d)
			continue
		}
		fallback = d
	}
	if fallback == "" {
		return "", false, fmt.Errorf("create a directory for sockets: %w", errors.Join(errs...))
	}
	return fallback, false, nil
}

// socketsWork tries a socket with a name longer than any kernel's.
func socketsWork(dir string) bool {
	path := filepath.Join(dir, "probe-0123")
	if len(path) > maxSocketPath {
		return false
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return false
	}
	l.Close() // removes the file
	return true
}
