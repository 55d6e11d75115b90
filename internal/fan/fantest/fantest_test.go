package fantest

import "testing"

// The fake obeys the contract, so tests may trust it in place of a machine.
func TestFake(t *testing.T) { Run(t, FakeMachine()) }
