package store

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/store/internal/process"
	"github.com/fanout-dev/fanout/internal/store/storetest"
)

// elsewhere opens the bucket as a process of another machine would.
func elsewhere(t *testing.T, server *storetest.Server, name string) *bucket {
	s := testBucket(t, server)
	s.self.Boot = name
	s.lease = leaseTimes{beat: 200 * time.Millisecond, trust: time.Second, stale: 3 * time.Second}
	return s
}

const lockKey = "lease/lock"

// A holder after which there is no next one is not outbid: nobody was it.
func TestHolderOfHugeNumber(t *testing.T) {
	b := elsewhere(t, storetest.S3(t), "a")
	for _, n := range []string{"9223372036854775807", "99999999999999999999", "1000000000"} {
		key := lockKey + "." + n
		if err := b.Put(ctx, key, []byte(`{"released":true}`), Cached); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Lock(ctx, lockKey); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("Lock: %v", err)
		}
		if err := b.Delete(ctx, key); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLockIsTakenOver(t *testing.T) {
	server := storetest.S3(t)
	a, b := elsewhere(t, server, "a"), elsewhere(t, server, "b")
	a.lease.beat = time.Hour // a stands still
	lock, err := a.Lock(ctx, lockKey)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Lock(ctx, lockKey); !errors.Is(err, ErrLocked) {
		t.Fatalf("Lock: %v, want ErrLocked", err)
	}
	if locked, err := b.Locked(ctx, lockKey); !locked || err != nil {
		t.Errorf("Locked: %v, %v", locked, err)
	}
	time.Sleep(5 * time.Second)
	if locked, err := b.Locked(ctx, lockKey); locked || err != nil {
		t.Errorf("Locked when the beat is old: %v, %v", locked, err)
	}
	second, err := b.Lock(ctx, lockKey)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := lock.Check(ctx); !errors.Is(err, ErrLost) {
			t.Errorf("Check of the first: %v, want ErrLost", err)
		}
	}
	if err := lock.Unlock(); err != nil {
		t.Errorf("Unlock of the first: %v", err)
	}
	if _, err := a.Lock(ctx, lockKey); !errors.Is(err, ErrLocked) {
		t.Errorf("Lock: %v, want ErrLocked", err)
	}
	if err := errors.Join(second.Check(ctx), second.Unlock()); err != nil {
		t.Error(err)
	}
	if keys := keysOf(t, b, "lease/"); len(keys) > 2 { // the first wrote its own once more
		t.Errorf("objects: %v", keys)
	}
}

// A live holder is never taken over, and a check costs it nothing.
func TestLockIsKept(t *testing.T) {
	server := storetest.S3(t)
	a, b := elsewhere(t, server, "a"), elsewhere(t, server, "b")
	lock, err := a.Lock(ctx, lockKey)
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(6 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if _, err := b.Lock(ctx, lockKey); !errors.Is(err, ErrLocked) {
			t.Fatalf("Lock: %v, want ErrLocked", err)
		}
		if err := lock.Check(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	if lock, err = b.Lock(ctx, lockKey); err != nil {
		t.Fatal(err)
	}
	lock.Unlock()
}

// The beat of a superseded holder tells it, without anybody asking.
func TestSupersededHolderLearns(t *testing.T) {
	server := storetest.S3(t)
	a := elsewhere(t, server, "a")
	l, err := a.Lock(ctx, lockKey)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Put(ctx, holderKey(lockKey, 2), l.(*bucketLock).text(false), Synced); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * a.lease.beat)
	canceled, cancel := context.WithCancel(ctx)
	cancel() // it has to know by itself
	if err := l.Check(canceled); !errors.Is(err, ErrLost) {
		t.Errorf("Check: %v, want ErrLost", err)
	}
	l.Unlock()
}

// Where the store lets two processes create one object, or says that it did, both
// think that they have the lock for no longer than a beat.
func TestHoldersOfOneNumber(t *testing.T) {
	for name, fault := range map[string]func(*storetest.Server){"ignores": (*storetest.Server).IgnoreConditions, "forges": (*storetest.Server).ForgeConditions} {
		server := storetest.S3(t)
		fault(server)
		var held []*bucketLock
		for _, machine := range []string{"a", "b"} {
			b := elsewhere(t, server, machine)
			l := &bucketLock{b: b, key: lockKey, n: 1, id: machine}
			if err := l.take(ctx); err == nil {
				held = append(held, l)
			} else if !errors.Is(err, ErrLocked) {
				t.Errorf("%s: %v", name, err)
			}
		}
		has := 0
		for _, l := range held {
			if l.confirm(ctx) == nil {
				has++
			}
		}
		if has != 1 {
			t.Errorf("%s: %d of %d still have it", name, has, len(held))
		}
	}
}

// The holder that was silent and comes back in the moment it is superseded
// has the time to learn it before the other acts.
func TestOutwait(t *testing.T) {
	server := storetest.S3(t)
	a, b := elsewhere(t, server, "a"), elsewhere(t, server, "b")
	first, err := a.Lock(ctx, lockKey)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Unlock()
	was, err := b.Stat(ctx, holderKey(lockKey, 1))
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(1200 * time.Millisecond) // the store tells whole seconds
	second := &bucketLock{b: b, key: lockKey, n: 2}
	start := time.Now()
	if err := errors.Join(second.take(ctx), second.outwait(ctx, was, 1)); err != nil {
		t.Fatal(err)
	}
	if time.Since(start) < b.lease.trust {
		t.Error("the second did not wait")
	}
	if err := first.Check(ctx); !errors.Is(err, ErrLost) {
		t.Errorf("Check: %v, want ErrLost", err)
	}
}

// Of many who take over one lock, one has it.
func TestTakeoverHappensOnce(t *testing.T) {
	server := storetest.S3(t)
	dead := testBucket(t, server)
	dead.self = deadProcess(t)
	if _, err := dead.Lock(ctx, lockKey); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var won []Lock
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			l, err := testBucket(t, server).Lock(ctx, lockKey)
			if err != nil && !errors.Is(err, ErrLocked) {
				t.Error(err)
			}
			if err == nil {
				mu.Lock()
				won = append(won, l)
				mu.Unlock()
			}
		})
	}
	work.Wait()
	if len(won) != 1 {
		t.Errorf("%d have the lock", len(won))
	}
	for _, l := range won {
		l.Unlock()
	}
}

// deadProcess is a process of this machine that has ended.
func deadProcess(t *testing.T) process.Process {
	t.Helper()
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := process.This()
	p.PID, p.Start = cmd.Process.Pid, process.StartOf(cmd.Process.Pid)
	if p.Start == "" || p.DeadFor(process.This()) {
		t.Errorf("the process %+v is dead before it ends", p)
	}
	cmd.Process.Kill()
	cmd.Wait()
	return p
}

// Locked writes nothing.
func TestLockedOnlyReads(t *testing.T) {
	server := storetest.S3(t)
	s := testBucket(t, server)
	lock, err := s.Lock(ctx, lockKey)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Unlock()
	server.Requests()
	if locked, err := s.Locked(ctx, lockKey); !locked || err != nil {
		t.Errorf("Locked: %v, %v", locked, err)
	}
	if n := server.Requests(); n["PUT"]+n["DELETE"]+n["POST"] > 0 {
		t.Errorf("requests: %v", n)
	}
}
