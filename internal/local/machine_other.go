//go:build !linux

package local

import (
	"errors"
	"os"
	"runtime"
)

func thisMachine() machine {
	host, _ := os.Hostname()
	return machine{host: host, node: os.Getenv(NodeVariable), cores: runtime.NumCPU()}
}

// load is unknown here.
func (machine) load() float64 { return 0 }

// memoryAvailable is unknown here.
func memoryAvailable() (free, total int64, known bool) { return 0, 0, false }

// tempFile exists on Linux only.
func tempFile(string) (*os.File, error) { return nil, errors.ErrUnsupported }
