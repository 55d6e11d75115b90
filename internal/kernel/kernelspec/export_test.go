package kernelspec

import "testing"

// Decode reads a kernel.json of the directory /k.
func Decode(b []byte) (Spec, error) {
	return decode(b, "/k", environment{"/p", "/p/bin/python"})
}

// WithoutSystem hides the kernels that the machine has installed.
func WithoutSystem(t testing.TB) {
	all := systemPrefixes
	systemPrefixes = nil
	t.Cleanup(func() { systemPrefixes = all })
}
