package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/unit"
)

func TestMain(m *testing.M) {
	kerneltest.Main()
	// A cluster starts workers in an environment of its own; they must not run the tests.
	if os.Getenv(asFanout) != "" || len(os.Args) > 1 && os.Args[1] == "worker" {
		os.Exit(testMain())
	}
	testscript.Main(m, map[string]func(){
		"fanout":     func() { os.Exit(testMain()) },
		"fakekernel": installFake,
		"notebook":   writeNotebook,
		"named":      checkNamed,
	})
}

// testMain is Main with a store that can be told to kill the process.
func testMain() int {
	ctx, stopped := withSignals(context.Background())
	c := &cli{stdin: os.Stdin, stdout: unit.NewPrinter(os.Stdout), stderr: unit.NewPrinter(os.Stderr), openStore: killingStore}
	return signalCode(c.main(ctx, os.Args[1:]), stopped())
}

// killAt is the environment variable that orders a SIGKILL in place, or in the
// middle, of the n-th write, counted from 1.
const killAt = "TEST_KILL_AT_WRITE"

func killingStore(ctx context.Context, where string) (store.Store, error) {
	st, err := store.Open(ctx, where)
	if n, bad := strconv.Atoi(os.Getenv(killAt)); err == nil && bad == nil && n != 0 {
		st = &killer{Store: st, at: int64(n)}
	}
	return st, err
}

// killer ends the process in place of its n-th write.
type killer struct {
	store.Store
	at     int64
	writes atomic.Int64
}

func (k *killer) count() {
	if k.writes.Add(1) == k.at {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

func (k *killer) Put(ctx context.Context, key string, data []byte, d store.Durability) error {
	k.count()
	return k.Store.Put(ctx, key, data, d)
}

// Write dies when a first part is written.
func (k *killer) Write(ctx context.Context, key string, write func(io.Writer) error, d store.Durability) error {
	if k.writes.Add(1) != k.at {
		return k.Store.Write(ctx, key, write, d)
	}
	return k.Store.Write(ctx, key, func(w io.Writer) error { return write(killWriter{w}) }, d)
}

type killWriter struct{ io.Writer }

func (w killWriter) Write(b []byte) (int, error) {
	w.Writer.Write(b[:len(b)/2])
	syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

func (k *killer) Delete(ctx context.Context, key string) error {
	k.count()
	return k.Store.Delete(ctx, key)
}

func (k *killer) Create(ctx context.Context, key string, data []byte, d store.Durability) error {
	k.count()
	return k.Store.Create(ctx, key, data, d)
}

func (k *killer) Copy(ctx context.Context, dst, src string) error {
	k.count()
	return k.Store.Copy(ctx, dst, src)
}

func (k *killer) Append(ctx context.Context, key string) (store.Appender, error) {
	a, err := k.Store.Append(ctx, key)
	return &killerLog{a, k}, err
}

type killerLog struct {
	store.Appender
	k *killer
}

func (l *killerLog) Write(record []byte) (int, error) {
	l.k.count()
	return l.Appender.Write(record)
}

func (l *killerLog) Later(record []byte) error {
	l.k.count()
	return l.Appender.Later(record)
}

// TestScripts runs every script under testdata/script with the fake kernel.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"waitfor": waitFor},
		Setup: func(e *testscript.Env) error {
			jupyter := filepath.Join(e.WorkDir, ".jupyter")
			e.Setenv("HOME", filepath.Join(e.WorkDir, ".home"))
			e.Setenv("JUPYTER_PATH", jupyter)
			e.Setenv("FANOUT_JOBS", "2")
			return kerneltest.InstallSpec(jupyter, nil)
		},
	})
}

func installFake() {
	if err := kerneltest.InstallSpec(os.Args[1], nil); err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
}

// writeNotebook writes a template for the fake kernel: "notebook FILE CELLS"
// where CELLS is a text file with cells divided by lines of dashes. The first
// is the parameters cell.
func writeNotebook() {
	text, err := os.ReadFile(os.Args[2])
	if err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
	cells := strings.Split(strings.TrimRight(string(text), "\n"), "\n---\n")
	if err := os.MkdirAll(filepath.Dir(os.Args[1]), 0o777); err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
	if err := os.WriteFile(os.Args[1], notebookOf("fake", "python", cells), 0o666); err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
}

// checkNamed fails when the last line of a file, which is JSON, names a file of
// a sweep that does not exist.
func checkNamed() {
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	named := regexp.MustCompile(`"([^"\s]+\.sweep(/[^"\s]*)?)"`).FindAllStringSubmatch(lines[len(lines)-1], -1)
	if len(named) < 2 {
		os.Stderr.WriteString("it names no files\n")
		os.Exit(1)
	}
	for _, n := range named {
		if _, err := os.Stat(n[1]); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
	}
}

// notebookOf is a template whose first cell declares the parameters. A cell that
// begins with #md is Markdown.
func notebookOf(kernel, language string, cells []string) []byte {
	list := []any{}
	for i, source := range cells {
		if text, isMarkdown := strings.CutPrefix(source, "#md "); isMarkdown {
			list = append(list, map[string]any{"cell_type": "markdown", "id": "cell-" + strconv.Itoa(i), "source": text, "metadata": map[string]any{}})
			continue
		}
		tags := []string{}
		if i == 0 {
			tags = append(tags, "parameters")
		}
		list = append(list, map[string]any{
			"cell_type": "code", "id": "cell-" + strconv.Itoa(i), "source": source, "outputs": []any{},
			"execution_count": nil, "metadata": map[string]any{"tags": tags},
		})
	}
	b, err := json.Marshal(map[string]any{
		"nbformat": 4, "nbformat_minor": 5, "cells": list,
		"metadata": map[string]any{
			"kernelspec":    map[string]any{"name": kernel, "display_name": kernel, "language": language},
			"language_info": map[string]any{"name": language},
		},
	})
	if err != nil {
		panic(err)
	}
	return b
}

// waitFor waits until a file exists and, of a folder, holds something.
func waitFor(ts *testscript.TestScript, _ bool, args []string) {
	name := ts.MkAbs(args[0])
	for range 500 {
		if entries, err := os.ReadDir(name); err == nil && len(entries) > 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Fatalf("%s does not come", args[0])
}
