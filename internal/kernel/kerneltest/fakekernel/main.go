// Fakekernel is the fake kernel of package kerneltest as a separate program:
//
//	fakekernel CONNECTION_FILE
//	fakekernel install DIR [NAME=VALUE …]
//
// The second form writes a kernel specification for JUPYTER_PATH=DIR.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
)

func main() {
	kerneltest.Main()
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: fakekernel CONNECTION_FILE | fakekernel install DIR [NAME=VALUE …]")
		os.Exit(2)
	}
	if os.Args[1] != "install" {
		os.Exit(kerneltest.Run(os.Args[1]))
	}
	env := map[string]string{}
	for _, kv := range os.Args[3:] {
		name, value, _ := strings.Cut(kv, "=")
		env[name] = value
	}
	if err := kerneltest.InstallSpec(os.Args[2], env); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
