//go:build !linux

package local

import (
	"errors"
	"os"
	"runtime"
)

func thisMachine() machine {
	host, _ := os.Hostname()
	return machine{host: host, cores: runtime.NumCPU()}
}

// memoryAvailable is not known here.
func memoryAvailable() (free, total int64, known bool) { return 0, 0, false }

// tempFile is Linux's alone.
func tempFile(string) (*os.File, error) { return nil, errors.ErrUnsupported }
