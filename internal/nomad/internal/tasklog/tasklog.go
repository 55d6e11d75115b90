// Package tasklog reads what the tasks of an allocation have printed, from the client
// that executed them, through the server: the client itself is asked for nothing, for
// its address is what the server says, and the token would go there.
package tasklog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"
)

// WorkersOf returns the task called worker or, without one, every task.
func WorkersOf(a *api.AllocationListStub) []string {
	names := slices.Sorted(maps.Keys(a.TaskStates))
	if slices.Contains(names, "worker") || len(names) == 0 {
		return []string{"worker"}
	}
	return names[:min(len(names), maxTasks)]
}

const (
	maxTasks = 20      // of an allocation whose logs are read
	maxFrame = 1 << 20 // bytes of one; a client sends up to 88 kB

	// MaxLog is how many bytes of a log are read, the last.
	MaxLog = 16 << 20
)

// Read returns the end of what a task has written to stderr, at most so many bytes, as
// far as its client has kept it.
func Read(client *api.Client, alloc, task string, most int, q *api.QueryOptions) (string, error) {
	own := *q // the call changes it
	own.Params = map[string]string{
		"task": task, "type": api.FSLogNameStderr, "follow": "false", "origin": api.OriginEnd, "offset": fmt.Sprint(most),
	}
	body, err := client.Raw().Response("/v1/client/fs/logs/"+url.PathEscape(alloc), &own)
	if err != nil {
		return "", err
	}
	defer body.Close()
	return last(body, most)
}

// last joins frames and returns the last bytes of what they hold.
func last(frames io.Reader, most int) (string, error) {
	var text []byte
	frame := &io.LimitedReader{R: frames}
	for dec := json.NewDecoder(frame); ; {
		frame.N = maxFrame
		var f struct{ Data []byte }
		err := dec.Decode(&f)
		if err != nil && frame.N <= 0 {
			err = errors.New("the log has a frame that does not end: the server is broken, or not Nomad")
		}
		if err == io.EOF {
			return tail(text, most), nil
		}
		if err != nil {
			return tail(text, most), err
		}
		if text = append(text, f.Data...); len(text) > 2*most+maxFrame {
			text = append([]byte(nil), text[len(text)-most:]...)
		}
	}
}

func tail(text []byte, most int) string { return string(text[max(0, len(text)-most):]) }

// lastWords is how many bytes of a log may hold why its worker ended.
const lastWords = 256 << 10

// LastWords is the end of what a task wrote to its standard error, while the client
// still has it and says so soon; else empty.
func LastWords(ctx context.Context, client *api.Client, alloc, task string, query func(context.Context) *api.QueryOptions) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	text, err := Read(client, alloc, task, lastWords, query(ctx))
	if err != nil {
		return ""
	}
	return text
}
