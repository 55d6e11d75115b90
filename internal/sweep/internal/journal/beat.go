package journal

import "time"

// A Beat is what a worker says of itself now and then.
type Beat struct {
	At   time.Time `json:"at"` // by the worker's clock
	Runs []RunBeat `json:"runs,omitempty"`
}

// A RunBeat is where a run is that a worker is executing.
type RunBeat struct {
	Run     string `json:"run"`
	Attempt int    `json:"n"`
	Cell    int    `json:"cell"`
	Cells   int    `json:"cells"`
}
