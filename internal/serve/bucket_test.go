package serve

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/store/storetest"
)

// However many watch a sweep in a bucket, the bucket is asked as often as for one.
func TestWatchersShareTheBucket(t *testing.T) {
	bucket := storetest.S3(t)
	where := bucket.Where("many.sweep")
	st, err := store.Open(t.Context(), where)
	must(t, err)
	makeSweep(t, st, 3, firstOnly)
	s := serverOf(t, Access{}, where)
	origin := listening(t, s)
	path := "/s/" + idOf(t, s) + "/events"
	asked := func() (n int) { // since it was called last
		for _, count := range bucket.Requests() {
			n += count
		}
		return n
	}
	watch := func(clients int) (requests int) {
		get(s, strings.TrimSuffix(path, "/events")) // up with the sweep
		asked()                                     // counts from here
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var first, all sync.WaitGroup
		for range clients {
			first.Add(1)
			all.Go(func() {
				told := sync.OnceFunc(first.Done)
				defer told()
				req, _ := http.NewRequestWithContext(ctx, "GET", origin+path, nil)
				req.Header.Set("Authorization", "Bearer "+testToken)
				res, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				defer res.Body.Close()
				for lines := bufio.NewScanner(res.Body); lines.Scan(); {
					if strings.HasPrefix(lines.Text(), "data: ") {
						told()
					}
				}
			})
		}
		first.Wait()
		time.Sleep(lookInBucket + time.Second) // one more look
		requests = asked()
		stop()
		all.Wait()
		return requests
	}
	one, many := watch(1), watch(100)
	t.Logf("%d requests for 1 client, %d for 100", one, many)
	if one == 0 || many > 2*one { // a slow start takes another look
		t.Errorf("100 clients cost %d requests, and one costs %d", many, one)
	}
}
