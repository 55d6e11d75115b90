//go:build !linux

package ground

import (
	"errors"
	"os"
)

func cloneFile(_, _ *os.File) error { return errors.ErrUnsupported }

func whiteout(string) error { return errors.ErrUnsupported }
