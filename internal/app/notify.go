package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/fanout-dev/fanout/internal/fan"
	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// notifyLimit is how long one notification may take.
const notifyLimit = 30 * time.Second

// news is the notification that a sweep has ended: on a command's standard
// input, or in a request's body.
type news struct {
	Sweep   string                 `json:"sweep"`
	Status  string                 `json:"status"` // success or failure
	Where   string                 `json:"where"`
	Summary string                 `json:"summary"`
	Text    string                 `json:"text"` // one line for people
	Halted  string                 `json:"halted,omitempty"`
	Counts  map[outcome.Status]int `json:"counts"`
	Verdict map[string]string      `json:"verdicts,omitempty"` // by metric
}

// notify sends the notifications that the sweep file asks for. A failure
// changes nothing about the sweep.
func (j *Job) notify(ctx context.Context, sum fan.Summary, end Ending) (failed []error) {
	verdicts := map[string]string{}
	for _, m := range end.Comparison.Metrics {
		verdicts[m.Name] = m.Verdict
	}
	e := news{
		Sweep: j.Name(), Status: "success", Where: j.Where(), Summary: store.Join(j.Where(), sweep.SummaryMarkdown),
		Text: j.Name() + ": " + CountWords(end.Counts, end.Planned), Halted: sum.Halted, Counts: end.Counts, Verdict: verdicts,
	}
	if sum.Halted != "" || end.Incomplete() {
		e.Status = "failure"
	}
	body, err := json.Marshal(e)
	if err != nil {
		return []error{err}
	}
	for _, n := range j.Spec().Notify {
		if n.On == "failure" && e.Status != n.On || n.On == "success" && e.Status != n.On {
			continue
		}
		if err := notifyOne(ctx, n, body); err != nil {
			failed = append(failed, err)
		}
	}
	return failed
}

// CountWords lists how many runs have which status: "3 runs: 2 succeeded, 1
// failed".
func CountWords(counts map[outcome.Status]int, total int) string {
	var parts []string
	for _, s := range outcome.Statuses() {
		if n := counts[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s.Words()))
		}
	}
	return unit.Plural(total, "run") + ": " + strings.Join(parts, ", ")
}

func notifyOne(ctx context.Context, n grid.Notice, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, notifyLimit)
	defer cancel()
	if n.Webhook != "" {
		return post(ctx, n.Webhook, body)
	}
	cmd := exec.CommandContext(ctx, n.Command[0], n.Command[1:]...)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(append(body, '\n')), os.Stderr
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("run %s: %w", n.Command[0], err)
	}
	return nil
}

func post(ctx context.Context, url string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		return fmt.Errorf("post to %s: it answers %s", req.URL.Host, res.Status)
	}
	return nil
}
