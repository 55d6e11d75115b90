package main

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/cmd/fanout/internal/listen"
	"github.com/fanout-dev/fanout/cmd/fanout/internal/localschedule"
	"github.com/fanout-dev/fanout/internal/app"
	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/lease"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Exit codes. They are part of the interface: docs and scripts rely on them.
const (
	exitOK         = 0
	exitFailed     = 1 // fanout could not finish
	exitUsage      = 2 // usage or sweep file is wrong; nothing was run
	exitIncomplete = 3 // finished, and some runs did not succeed
	exitHeld       = 4 // another fanout is running the sweep
	exitGate       = 5 // a gate the user set was violated
)

// incomplete reports that everything was done and some runs did not succeed. It
// has been printed already.
var errIncomplete = errors.New("some runs did not succeed")

// gateError is a violated gate.
type gateError struct{ error }

// asGate marks err as what a gate of the user's found.
func asGate(err error) error {
	if err == nil {
		return nil
	}
	return gateError{err}
}

// asUsage makes cobra's complaints about arguments usage errors.
func asUsage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return unit.Mistake(unit.WithHint(err, "usage: %s", cmd.UseLine()))
		}
		return nil
	}
}

// exitCode prints err and returns the code for it: the only place that maps
// errors to codes.
func (c *cli) exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	if errors.Is(err, errIncomplete) {
		return exitIncomplete
	}
	if ended, ok := errors.AsType[localschedule.Ended](err); ok {
		return int(ended)
	}
	c.printError(err)
	var (
		spec grid.Errors
		held *lease.HeldError
		gate gateError
		stay listen.HeldError
		book *app.NotebookError
	)
	switch {
	case unit.IsMistake(err), errors.As(err, &spec), isUnknownCommand(err), store.IsPlaceError(err):
		return exitUsage
	case errors.As(err, &held):
		return exitHeld
	case errors.As(err, &gate), errors.As(err, &stay):
		return exitGate
	case errors.As(err, &book):
		return exitIncomplete
	}
	return exitFailed
}

func isUnknownCommand(err error) bool { return strings.HasPrefix(err.Error(), "unknown command") }

// printError prints an error, and below it what to type next.
func (c *cli) printError(err error) {
	hint := unit.HintOf(err)
	if c.json {
		json.NewEncoder(c.stderr.Data()).Encode(map[string]string{"event": "error", "error": err.Error(), "hint": hint})
		return
	}
	for _, line := range strings.Split(strings.TrimRight(err.Error(), "\n"), "\n") {
		c.stderr.Printf("fanout: %s\n", line)
	}
	if hint != "" {
		c.stderr.Printf("fanout: hint: %s\n", hint)
	}
}
