package firing

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/diary"
	"github.com/fanout-dev/fanout/internal/store"
)

// Whatever stands in the history of a schedule, it is listed, and has a text.
func FuzzList(f *testing.F) {
	f.Add("20260101T000000Z.1.json", `{"began":"2026-01-01T00:00:00Z"}`, `{"code":1}`)
	f.Add("20260101T000000Z.99999999999999999999.json", `{"began":"9999-12-31T23:59:59Z","try":-1}`, `null`)
	f.Add("99991231T235959Z.1.json", `[]`, `{"at":"x"}`)
	f.Fuzz(func(t *testing.T, name, began, ended string) {
		st := store.Mem()
		for key, text := range map[string]string{Prefix + name: began, Prefix + "20260101T000000Z.1.json": began, Prefix + "20260101T000000Z.1.end.json": ended} {
			if st.Put(t.Context(), key, []byte(text), store.Cached) != nil {
				return // it is no key
			}
		}
		all, err := List(t.Context(), st, 10)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := json.Marshal(all); err != nil {
			t.Errorf("%q, %q: %v", began, ended, err)
		}
	})
}

// A log that fanout cannot have written is not read.
func TestForeignLog(t *testing.T) {
	st := store.Mem()
	f := Firing{Due: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Try: 1}
	for size, bad := range map[int]bool{diary.MaxSize + 100: false, 5 * diary.MaxSize: true} {
		if err := st.Put(t.Context(), key(f.Due, f.Try)+".log", make([]byte, size), store.Cached); err != nil {
			t.Fatal(err)
		}
		if text, err := Log(t.Context(), st, f); (err != nil) != bad || err == nil && len(text) != size {
			t.Errorf("%d bytes: %d are read, %v", size, len(text), err)
		}
	}
}
