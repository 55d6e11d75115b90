package nomad

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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

// ThisFiring reads from the environment which firing of a schedule this process
// is: when it was due, in the zone of the schedule, and the folder of the
// schedule's files.
func ThisFiring(zone string) (due time.Time, folder string, err error) {
	if due, err = FiringTime(os.Getenv("NOMAD_JOB_ID")); err != nil {
		return due, "", fmt.Errorf("NOMAD_JOB_ID: %w", err)
	}
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return due, "", fmt.Errorf("--tz: %w", err)
	}
	dir := os.Getenv("NOMAD_TASK_DIR")
	if dir == "" {
		return due, "", errors.New("NOMAD_TASK_DIR is not set: only the job of a schedule fires it")
	}
	return due.In(loc), filepath.Join(dir, "bundle"), nil
}
