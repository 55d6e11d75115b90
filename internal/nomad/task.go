package nomad

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// ReadPayload reads the payload that Nomad passed to a worker.
func ReadPayload(file string) (Payload, error) {
	var p Payload
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err != nil {
		return p, fmt.Errorf("read payload %s: %w", file, err)
	}
	return p, nil
}

// WorkerName names the allocation that this process runs in, for readers of the
// sweep. It is empty outside an allocation.
func WorkerName() string {
	id := os.Getenv("NOMAD_ALLOC_ID")
	if id == "" {
		return ""
	}
	return "allocation " + id[:min(8, len(id))]
}

// WorkFolder is where this process's temporary files go, so that they go with its
// allocation; empty outside one.
func WorkFolder() string {
	dir := os.Getenv("NOMAD_ALLOC_DIR")
	if dir == "" {
		return ""
	}
	dir = filepath.Join(dir, "tmp")
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return ""
	}
	return dir
}

// Memory says what memory this process's allocation has and how to ask for more;
// empty where it has no limit.
func Memory() string {
	mb, err := strconv.ParseInt(os.Getenv("NOMAD_MEMORY_LIMIT"), 10, 64)
	if err != nil {
		return ""
	}
	return memoryWords(mb, true)
}

// memoryWords are about an allocation with so many MiB. unasked says that the sweep
// file does not say how many it needs.
func memoryWords(mb int64, unasked bool) string {
	has := fmt.Sprintf("its allocation has %d MiB", mb)
	if !unasked {
		return has
	}
	return fmt.Sprintf("%s, because the sweep file does not say how much it needs: resources: {memory: %dMiB}", has, 4*mb)
}

// ThisFiring reads from the environment which firing of a schedule this process
// is, with the time it was due in the zone of the schedule, and the folder of the
// schedule's files.
func ThisFiring(zone string) (f Firing, folder string, err error) {
	f.ID = os.Getenv("NOMAD_JOB_ID")
	if f.At, err = FiringTime(f.ID); err != nil {
		return f, "", fmt.Errorf("NOMAD_JOB_ID: %w", err)
	}
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return f, "", fmt.Errorf("--tz: %w", err)
	}
	f.At = f.At.In(loc)
	dir := os.Getenv("NOMAD_TASK_DIR")
	if dir == "" {
		return f, "", errors.New("NOMAD_TASK_DIR is not set: only the job of a schedule fires it")
	}
	return f, filepath.Join(dir, "bundle"), nil
}
