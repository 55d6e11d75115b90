package quota

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/nomad/api"
)

// A cluster has jobs, which end after a second.
type cluster struct {
	mu   sync.Mutex
	jobs []*api.JobListStub
	most map[string]int // jobs at once, by owner; "" is all
	n    int
}

func (c *cluster) list(context.Context) ([]*api.JobListStub, error) {
	c.mu.Lock()
	all := slices.Clone(c.jobs)
	c.mu.Unlock()
	time.Sleep(5 * time.Millisecond) // what is seen may be late
	return all, nil
}

func (c *cluster) add(owner, class string) *api.JobListStub {
	c.n++
	j := &api.JobListStub{ID: fmt.Sprintf("fanout-%s/dispatch-%d", owner, c.n), Status: "running", Meta: map[string]string{Meta: class, "owner": owner}}
	c.jobs = append(c.jobs, j)
	return j
}

// start starts a job that ends after a second.
func (c *cluster) start(owner string) {
	time.Sleep(20 * time.Millisecond) // it takes effect later than it was decided
	c.mu.Lock()
	j := c.add(owner, "gpu")
	all, own := 0, 0
	for _, j := range c.jobs {
		if j.Meta[Meta] == "gpu" && strings.Contains(j.ID, "/") {
			all++
			if j.Meta["owner"] == owner {
				own++
			}
		}
	}
	c.most[""], c.most[owner] = max(c.most[""], all), max(c.most[owner], own)
	c.mu.Unlock()
	go func() {
		time.Sleep(time.Second)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.jobs = slices.DeleteFunc(c.jobs, func(o *api.JobListStub) bool { return o == j })
	}()
}

// parent adds the job that starts those of an owner.
func (c *cluster) parent(owner string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jobs = append(c.jobs, &api.JobListStub{ID: "fanout-" + owner, Status: "running", Meta: map[string]string{Meta: "gpu", "owner": owner}})
}

func (c *cluster) gate(owner string, limit int, say func(string)) *Gate {
	return New(Options{Class: "gpu", Limit: limit, Owner: owner, Key: "owner", List: c.list, Say: say, Every: 100 * time.Millisecond})
}

// Alone, nobody exceeds the limit, and it is used up; jobs of other classes do not count.
func TestAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{most: map[string]int{}}
		c.parent("a")
		for range 10 {
			c.add("other", "cpu")
		}
		words := 0
		g := c.gate("a", 3, func(text string) {
			if words++; words == 1 && text != "class gpu: 3 of 3 allocations at work, 3 of them this sweep's: others wait their turn" {
				t.Error(text)
			}
		})
		began := time.Now()
		var all sync.WaitGroup
		for range 12 {
			all.Go(func() {
				if err := g.Pass(t.Context(), func() error { c.start("a"); return nil }); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if c.most[""] != 3 || words == 0 || time.Since(began) > 5*time.Second {
			t.Errorf("%d at once, %d words, in %v", c.most[""], words, time.Since(began))
		}
		time.Sleep(2 * time.Second)
	})
}

// Three side by side exceed it by two at most, and each gets its part of it, though one
// was there first and another never has enough.
func TestSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{most: map[string]int{}}
		done := map[string]int{}
		var mu sync.Mutex
		ctx, stop := context.WithTimeout(t.Context(), 60*time.Second)
		defer stop()
		var all sync.WaitGroup
		for i, owner := range []string{"a", "b", "c"} {
			c.parent(owner)
			g := c.gate(owner, 6, func(string) {})
			for range 10 {
				all.Go(func() {
					time.Sleep(time.Duration(i) * 3 * time.Second)
					for ctx.Err() == nil {
						g.Pass(ctx, func() error {
							c.start(owner)
							mu.Lock()
							defer mu.Unlock()
							done[owner]++
							return nil
						})
					}
				})
			}
		}
		all.Wait()
		total := done["a"] + done["b"] + done["c"]
		if c.most[""] < 6 || c.most[""] > 6+2 {
			t.Errorf("%d at once", c.most[""])
		}
		for owner, n := range done {
			if n < total/5 {
				t.Errorf("%s had %d of %d", owner, n, total)
			}
		}
		if total < 60*6/2 {
			t.Errorf("%d in a minute", total)
		}
		time.Sleep(2 * time.Second)
	})
}

// One who is alone has all of it, and who stops waiting starts nothing.
func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{most: map[string]int{}}
		g := c.gate("a", 1, func(string) {})
		ctx, stop := context.WithCancel(t.Context())
		started := 0
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				if err := g.Pass(ctx, func() error { started++; c.start("a"); return nil }); err != nil {
					t.Error(err)
				}
			})
		}
		time.Sleep(500 * time.Millisecond)
		stop()
		all.Wait()
		if started != 1 {
			t.Errorf("%d were started", started)
		}
		failed := fmt.Errorf("no list")
		g.List = func(context.Context) ([]*api.JobListStub, error) { return nil, failed }
		if err := g.Pass(t.Context(), func() error { t.Error("started"); return nil }); err != failed {
			t.Error(err)
		}
		time.Sleep(2 * time.Second)
	})
}
