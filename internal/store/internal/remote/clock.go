package remote

import (
	"net/http"
	"sync"
	"time"
)

// Clock follows the store's clock, from the dates of its replies.
type Clock struct {
	mu  sync.Mutex
	off time.Duration // how far the store's clock is ahead
}

// Now is the time by the store's clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.off)
}

func (c *Clock) read(r *http.Response) {
	if t, err := http.ParseTime(r.Header.Get("Date")); err == nil {
		c.mu.Lock()
		c.off = time.Until(t)
		c.mu.Unlock()
	}
}
