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
