//go:build manual

package main

import (
	"fmt"
	"os"
	"time"

	"github.com/fanout-dev/fanout/cmd/fanout/internal/manual"
)

// With the tag `manual` the command does one thing: `fanout DIR DATE` writes its
// manual pages, dated 2026-01-31, into DIR. So no binary carries what writes them.
func init() {
	date, err := time.Parse(time.DateOnly, os.Args[2])
	if err == nil {
		err = manual.Write((&cli{}).rootCommand(), os.Args[1], version(), date)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "manual:", err)
		os.Exit(exitFailed)
	}
	os.Exit(exitOK)
}
