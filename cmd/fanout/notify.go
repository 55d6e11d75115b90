package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"time"

	"github.com/fanout-dev/fanout/internal/compare"
	"github.com/fanout-dev/fanout/internal/fan"
	"github.com/fanout-dev/fanout/internal/grid"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
)

// notifyLimit is how long telling somebody may take.
const notifyLimit = 30 * time.Second

// news is what is told when a sweep has ended: on a command's standard
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

// notify tells whom the sweep file names. Failing to changes nothing about the
// sweep.
func (c *cli) notify(ctx context.Context, j *job, sum fan.Summary, cmp *compare.Report) {
	verdicts := map[string]string{}
	for _, m := range cmp.Metrics {
		verdicts[m.Name] = m.Verdict
	}
	counts := j.Counts()
	head, _ := j.Head()
	e := news{
		Sweep: j.Name(), Status: "success", Where: j.Where(), Summary: store.Join(j.Where(), sweep.SummaryMarkdown),
		Text: j.Name() + ": " + countWords(counts, head.Runs), Halted: sum.Halted, Counts: counts, Verdict: verdicts,
	}
	if sum.Halted != "" || incompleteRuns(counts) {
		e.Status = "failure"
	}
	body, err := json.Marshal(e)
	if err != nil {
		return
	}
	for _, n := range j.Spec().Notify {
		if n.On == "failure" && e.Status != n.On || n.On == "success" && e.Status != n.On {
			continue
		}
		if err := tell(ctx, n, body); err != nil {
			fmt.Fprintf(c.stderr, "fanout: warning: notify: %v\n", err)
		}
	}
}

func tell(ctx context.Context, n grid.Notice, body []byte) error {
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
