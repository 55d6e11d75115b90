package notebook

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/fanout-dev/fanout/internal/value"
)

// BeginRun records that the notebook's execution starts at t: outputs and
// counts of code cells are removed, every cell is pending. What SetRecord and
// Note kept of an earlier execution is gone.
func (n *Notebook) BeginRun(t time.Time) {
	delete(n.Metadata, recordKey)
	record := n.papermill()
	record["start_time"], record["end_time"], record["duration"], record["exception"] = stamp(t), nil, nil, nil
	for _, c := range n.Cells {
		if c.Metadata == nil {
			c.Metadata = map[string]any{}
		}
		if c.Type == "code" {
			c.ExecutionCount, c.Outputs = nil, nil
			delete(c.Metadata, "execution")
		}
		delete(c.Metadata, recordKey)
		c.Metadata["papermill"] = map[string]any{"exception": nil, "start_time": nil, "end_time": nil, "duration": nil, "status": "pending"}
		c.Touch()
	}
}

// record is papermill's metadata of cell i, to be changed.
func (n *Notebook) record(i int) map[string]any {
	c := n.Cells[i]
	c.Touch()
	m := c.papermill()
	if m == nil {
		c.needs("papermill", map[string]any{})
		m, _ = c.Metadata["papermill"].(map[string]any)
	}
	return m
}

// BeginCell records that cell i starts at t; cells that hold no code too.
func (n *Notebook) BeginCell(i int, t time.Time) {
	m := n.record(i)
	m["start_time"], m["status"], m["exception"] = stamp(t), "running", false
}

// FailCell records that cell i, and with it the notebook, failed. As papermill
// has it, a cell that raised SystemExit(0) did, too.
func (n *Notebook) FailCell(i int) {
	m := n.record(i)
	m["exception"], m["status"] = true, "failed"
	n.papermill()["exception"] = true
}

// QuitCell records that cell i told the kernel to quit, successfully.
func (n *Notebook) QuitCell(i int) { n.Cells[i].Note(noteQuit, true) }

// EndCell records that cell i ended at t.
func (n *Notebook) EndCell(i int, t time.Time) {
	m := n.record(i)
	m["end_time"] = stamp(t)
	setDuration(m, t)
	if m["status"] != "failed" {
		m["status"] = "completed"
	}
}

// EndRun records that the execution ended at t. Cells that did not run stay
// pending; papermill calls them completed.
func (n *Notebook) EndRun(t time.Time) {
	record := n.papermill()
	record["end_time"] = stamp(t)
	setDuration(record, t)
}

func setDuration(m map[string]any, end time.Time) {
	start, _ := m["start_time"].(string)
	if began, err := parseTime(start); err == nil {
		m["duration"] = float64(end.Truncate(time.Microsecond).Sub(began).Microseconds()) / 1e6
	}
}

// stamp is t as Python's isoformat writes it, in UTC.
func stamp(t time.Time) string {
	t = t.UTC().Truncate(time.Microsecond)
	if t.Nanosecond() == 0 {
		return t.Format("2006-01-02T15:04:05+00:00")
	}
	return t.Format("2006-01-02T15:04:05.000000+00:00")
}

// parseTime reads what stamp writes, and what papermill before 2.7 wrote,
// which leaves the zone out.
func parseTime(s string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	return time.Parse("2006-01-02T15:04:05.999999999", s)
}

// Times returns when the notebook's execution started and ended, as its
// metadata says; zero where it does not.
func (n *Notebook) Times() (start, end time.Time) {
	record, _ := n.Metadata["papermill"].(map[string]any)
	return times(record)
}

// Times returns when the cell's execution started and ended, and whether it failed,
// as its metadata says; zero where it does not.
func (c *Cell) Times() (start, end time.Time, failed bool) {
	record := c.papermill()
	start, end = times(record)
	return start, end, record["status"] == "failed" || record["exception"] == true
}

func times(record map[string]any) (start, end time.Time) {
	began, _ := record["start_time"].(string)
	ended, _ := record["end_time"].(string)
	start, _ = parseTime(began)
	end, _ = parseTime(ended)
	return start, end
}

// The messages whose times nbclient records.
const (
	StampInput = "iopub.execute_input"
	StampBusy  = "iopub.status.busy"
	StampIdle  = "iopub.status.idle"
	StampReply = "shell.execute_reply"
)

// StampExecution records that one of the Stamp… messages was seen at t.
func (c *Cell) StampExecution(message string, t time.Time) {
	c.needs("execution", map[string]any{})
	if m, ok := c.Metadata["execution"].(map[string]any); ok {
		m[message] = t.UTC().Format("2006-01-02T15:04:05.000000Z")
	}
	c.Touch()
}

// SetLanguageInfo replaces metadata.language_info by a kernel's own, a JSON
// object.
func (n *Notebook) SetLanguageInfo(info json.RawMessage) error {
	m, err := object(info)
	if err != nil {
		return fmt.Errorf("set language info: %w", err)
	}
	n.Metadata["language_info"] = m
	return nil
}

func object(b []byte) (map[string]any, error) {
	v, err := value.Decode(b)
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("it is not a JSON object")
	}
	return m, nil
}
