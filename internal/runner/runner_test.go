package runner

import (
	"os"
	"testing"

	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"
)

func TestMain(m *testing.M) {
	kerneltest.Main()
	os.Exit(m.Run())
}
