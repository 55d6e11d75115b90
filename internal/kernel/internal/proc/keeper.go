package proc

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// The keeper is a small process of this same program that outlives it by a
// moment. It holds one end of a pipe; when the other end closes, because this
// process ended in whatever way, the keeper kills the process groups that were
// still registered and every process that carries our Token, and removes the
// socket directory. Kernels themselves are on Linux also bound to us by the
// operating system; the keeper is for what they started.

// keeperEnv, set to a Token, makes this program a keeper.
const keeperEnv = "FANOUT_KERNEL_KEEPER"

func init() {
	if t := os.Getenv(keeperEnv); t != "" && len(os.Args) == 1 && os.Args[0] == keeperName {
		runKeeper(t, os.Stdin)
		os.Exit(0)
	}
}

const keeperName = "fanout-keeper"

// keep is the keeper of this process, started with the first kernel.
var keep keeperClient

type keeperClient struct {
	mu     sync.Mutex
	pipe   *os.File
	groups map[string]bool
	dirs   map[string]bool
}

// Forked registers the group of a process that is not our own child.
func Forked(pid int) { keep.add(pid) }

// Gone removes a process that Forked or Tag registered and that has ended.
func Gone(pid int) { keep.drop(pid) }

// RemoveAfterDeath has the keeper remove dir once this process has ended.
func RemoveAfterDeath(dir string) { keep.note("dir", dir) }

func (k *keeperClient) add(pid int) error { return k.note("add", fmt.Sprint(pid)) }
func (k *keeperClient) drop(pid int) {
	census.gone(pid)
	k.note("drop", fmt.Sprint(pid))
}

// note informs the keeper of a group that began (add), one that is gone (drop), or
// a directory to remove (dir). A keeper that was killed is replaced.
func (k *keeperClient) note(verb, what string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.groups == nil {
		k.groups, k.dirs = map[string]bool{}, map[string]bool{}
	}
	switch verb {
	case "add":
		k.groups[what] = true
	case "drop":
		delete(k.groups, what)
	case "dir":
		k.dirs[what] = true
	}
	if k.pipe != nil {
		if _, err := fmt.Fprintln(k.pipe, verb, what); err == nil {
			return nil
		}
		k.pipe.Close()
		k.pipe = nil
	}
	if verb == "drop" {
		return nil
	}
	return k.start()
}

// start starts a keeper and informs it of everything registered.
func (k *keeperClient) start() error {
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("create a pipe for the keeper: %w", err)
	}
	defer r.Close()
	cmd := &exec.Cmd{
		Path: selfPath(), Args: []string{keeperName}, Env: []string{keeperEnv + "=" + Token, "GOMAXPROCS=1"},
		Dir: "/", Stdin: r, SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if err := cmd.Start(); err != nil {
		w.Close()
		return fmt.Errorf("start the keeper of kernels: %w", err)
	}
	go cmd.Wait() // a keeper that dies early leaves no zombie
	k.pipe = w
	var all strings.Builder
	for d := range k.dirs {
		fmt.Fprintln(&all, "dir", d)
	}
	for g := range k.groups {
		fmt.Fprintln(&all, "add", g)
	}
	if _, err := io.WriteString(w, all.String()); err != nil {
		return fmt.Errorf("write to the keeper of kernels: %w", err)
	}
	return nil
}

// runKeeper is the whole life of a keeper.
func runKeeper(token string, pipe io.Reader) {
	untag() // we are nobody's kernel, even if this program was started by one
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGPIPE)
	groups := map[int]bool{}
	var dirs []string
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		verb, what, _ := strings.Cut(lines.Text(), " ")
		pid, _ := strconv.Atoi(what)
		switch {
		case verb == "dir":
			dirs = append(dirs, what)
		case verb == "add" && pid > 1:
			groups[pid] = true
		case verb == "drop":
			delete(groups, pid)
		}
	}
	for g := range groups {
		syscall.Kill(g, syscall.SIGKILL)
	}
	killAllMarked(token+"-", 3*time.Second)
	for g := range groups {
		syscall.Kill(-g, syscall.SIGKILL)
	}
	for _, dir := range dirs {
		if filepath.IsAbs(dir) {
			os.RemoveAll(dir)
		}
	}
}
