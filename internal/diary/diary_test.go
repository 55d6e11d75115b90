package diary_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fanout-dev/fanout/internal/diary"
	"github.com/fanout-dev/fanout/internal/store"
)

// Every line has the time at which it began, however it came, and is kept before the
// end: nobody closes the diary of a process that is killed.
func TestLinesHaveTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := store.Mem()
		d, err := diary.Open(t.Context(), st, "logs/a.log")
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		fmt.Fprint(d, "one\ntw")
		time.Sleep(time.Second)
		fmt.Fprint(d, "o\nthree")
		fmt.Fprint(d, "")
		time.Sleep(time.Second)
		fmt.Fprint(d, " and more\n\nfive\n")
		time.Sleep(11 * time.Second)
		got, err := diary.Read(t.Context(), st, "logs/a.log")
		want := "2000-01-01T00:00:00Z one\n2000-01-01T00:00:00Z two\n2000-01-01T00:00:01Z three and more\n2000-01-01T00:00:02Z \n2000-01-01T00:00:02Z five\n"
		if err != nil || string(got) != want {
			t.Errorf("%v\n%s", err, got)
		}
	})
}

// A diary is bounded, says so at the end of its own line, and takes nothing after its end.
func TestBounded(t *testing.T) {
	st := store.Mem()
	d, err := diary.Open(t.Context(), st, "a")
	if err != nil {
		t.Fatal(err)
	}
	line := strings.Repeat("x", 1023)
	for range diary.MaxSize / len(line) * 2 {
		fmt.Fprint(d, line+"\n", line)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(d, line)
	text, err := diary.Read(t.Context(), st, "a")
	if err != nil || len(text) > diary.MaxSize+100 || len(text) < diary.MaxSize-3*len(line) || !strings.HasSuffix(string(text), "x\n… the rest of the log was not kept\n") {
		t.Errorf("%d bytes are kept, %v: …%s", len(text), err, text[max(0, len(text)-100):])
	}
}

// What somebody else put there is not read, and that there is nothing is no error.
func TestForeign(t *testing.T) {
	st := store.Mem()
	if text, err := diary.Read(t.Context(), st, "a"); err != nil || len(text) > 0 {
		t.Errorf("none: %q, %v", text, err)
	}
	if err := st.Put(t.Context(), "a", make([]byte, 5*diary.MaxSize), store.Cached); err != nil {
		t.Fatal(err)
	}
	if text, err := diary.Read(t.Context(), st, "a"); err == nil || !strings.Contains(err.Error(), "somebody else put it there") {
		t.Errorf("%d bytes, %v", len(text), err)
	}
}
