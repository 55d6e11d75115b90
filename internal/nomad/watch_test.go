package nomad

import "testing"

// What a worker said last is passed on with its hint, not the hint alone.
func TestComplaint(t *testing.T) {
	for text, want := range map[string]string{
		"":          "",
		"a library": "",
		"fanout: kernels start cold\nfanout: open s3://b: no credentials\nfanout: hint: does this machine\n see it?\n": "open s3://b: no credentials (does this machine see it?)",
		"fanout: read payload:\n  no such file\n": "read payload: no such file",
	} {
		if got := complaintIn(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
