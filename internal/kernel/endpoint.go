package kernel

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"

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

// newEndpoint creates a directory and a connection file, elsewhere if a disk is full.
// tcp asks for TCP even where ipc is possible; why is then the reason.
func newEndpoint(name string, tcp bool, why string) (*endpoint, error) {
	for {
		e, err := tryEndpoint(name, tcp, why)
		if err == nil || e == nil || !isFull(err) || !avoidPrivateDir(e.dir) {
			return e, err
		}
	}
}

func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// tryEndpoint returns the endpoint also with an error about its file.
func tryEndpoint(name string, tcp bool, why string) (*endpoint, error) {
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
	}
	return e, err
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
		leavePrivateDir(e.dir)
	})
}

// private is the directory of this process for sockets, created with the first
// kernel and removed with the last. There are several once a disk was full.
var private struct {
	sync.Mutex
	dir   string
	short bool
	users map[string]int // by directory
	full  []string       // bases without space
}

// privateDir returns a directory with mode 0700 and whether sockets can be
// created in it. Every call needs one of leavePrivateDir.
func privateDir() (dir string, short bool, err error) {
	private.Lock()
	defer private.Unlock()
	// Such directories may be swept away when their user logs out.
	if _, gone := os.Stat(private.dir); private.users[private.dir] == 0 || gone != nil {
		bases := slices.DeleteFunc(socketBases(), func(base string) bool { return slices.Contains(private.full, base) })
		private.dir, private.short, err = makePrivateDir(bases)
		if err != nil {
			return "", false, err
		}
		proc.RemoveAfterDeath(private.dir)
	}
	if private.users == nil {
		private.users = map[string]int{}
	}
	private.users[private.dir]++
	return private.dir, private.short, nil
}

func leavePrivateDir(dir string) {
	private.Lock()
	defer private.Unlock()
	if private.users[dir]--; private.users[dir] <= 0 {
		delete(private.users, dir)
		os.RemoveAll(dir)
	}
}

// avoidPrivateDir has the next endpoints be elsewhere than in dir, and reports whether
// there is anywhere else to try.
func avoidPrivateDir(dir string) bool {
	private.Lock()
	defer private.Unlock()
	base := filepath.Dir(dir)
	if slices.Contains(private.full, base) {
		return dir != private.dir
	}
	private.full = append(private.full, base)
	if private.dir == dir {
		private.dir = ""
	}
	return true
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
