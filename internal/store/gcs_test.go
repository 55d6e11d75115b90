package store

import (
	"errors"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

// openEmulator opens a bucket of a stand-in for Google's service on loopback.
func openEmulator(t *testing.T) *bucket {
	t.Helper()
	server, err := fakestorage.NewServerWithOptions(fakestorage.Options{Scheme: "http", Host: "127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	u, err := url.Parse(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("STORAGE_EMULATOR_HOST", u.Host)
	server.CreateBucketWithOpts(fakestorage.CreateBucketOpts{Name: "sweeps"})
	s, err := Open(ctx, "gs://sweeps/some/where")
	if err != nil {
		t.Fatal(err)
	}
	return s.(*bucket)
}

func TestGCSRefusalSaysWhatToDo(t *testing.T) {
	openEmulator(t)
	var h interface{ Hint() string }
	os.Unsetenv("STORAGE_EMULATOR_HOST")
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/key.json")
	if _, err := Open(ctx, "gs://sweeps/p"); !errors.As(err, &h) || !strings.Contains(h.Hint(), "gcloud auth") {
		t.Errorf("no credentials: %v", err)
	}
}
