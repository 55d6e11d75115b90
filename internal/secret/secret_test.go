package secret

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/unit"
)

func mask(t *testing.T, values ...string) *Mask {
	t.Helper()
	m, err := New(values)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A parcel has a text in every place where a value can have one.
type parcel struct {
	Text    string
	Kind    fs.FileMode
	Named   named
	List    []string
	Lists   [][]byte
	Raw     json.RawMessage
	Map     map[string]named
	Inner   struct{ Text *string }
	Any     any
	Error   error
	At      time.Time
	Nothing *parcel
}

type named string

func TestPass(t *testing.T) {
	at, inner := time.Now(), "an hunter2x"
	v := parcel{
		Text: "hunter2x", Kind: 7, Named: "hunter2x", List: []string{"a hunt", "er2x", "z"}, Lists: [][]byte{[]byte("hunter2x")},
		Raw: json.RawMessage(`{"hunter2x":"68756e7465723278"}`), Map: map[string]named{"hunter2x": "hunter2x"},
		Any: []any{"hunter2x", 1}, Error: fmt.Errorf("read hunter2x: %w", os.ErrExist), At: at,
	}
	v.Inner.Text = &inner
	got := Pass(mask(t, "hunter2x"), v)
	if text := fmt.Sprintf("%+v %s %s %s", got, got.Raw, got.Lists, *got.Inner.Text); strings.Contains(text, "hunter2x") || strings.Count(text, Mark) != 11 {
		t.Error(text)
	}
	if !got.At.Equal(at) || got.Kind != 7 || got.Nothing != nil || !errors.Is(got.Error, os.ErrExist) {
		t.Errorf("%+v", got)
	}
	if inner != "an hunter2x" || v.List[0] != "a hunt" || v.Map["hunter2x"] != "hunter2x" || string(v.Lists[0]) != "hunter2x" {
		t.Errorf("what was passed has changed: %+v", v)
	}
	if d := cmp.Diff([]string{"plain"}, Pass(nil, []string{"plain"})); d != "" {
		t.Error(d)
	}
}

func TestErrors(t *testing.T) {
	m := mask(t, "the-secret")
	broken := unit.WithHint(fmt.Errorf("start kernel: it wrote the-\nsecret: %w", os.ErrNotExist), "unset the-secret")
	err := fmt.Errorf("go on: %w", m.Error(broken))
	if err.Error() != "go on: start kernel: it wrote [secret]: file does not exist" || !errors.Is(err, os.ErrNotExist) || unit.HintOf(err) != "unset [secret]" {
		t.Error(err, unit.HintOf(err))
	}
	if other := errors.New("plain"); m.Error(other) != other || m.Error(nil) != nil {
		t.Error("an error without a secret is another one")
	}
	if _, err := New([]string{"long enough", "12345"}); err == nil {
		t.Error("a short value is accepted")
	}
}

// TestPieces: what is masked once stays as it is, colours hide nothing, and one
// line of a key is as good as the key.
func TestPieces(t *testing.T) {
	key := "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0\nshort\n-----END KEY-----"
	for _, c := range []struct{ value, text, want string }{
		{"secret", "a secret\nsecret\n", "a [secret]\n[secret]\n"},
		{"secret", "a [secret]\nb", "a [secret]\nb"},
		{"hunter2x", "user: hunter\x1b[1;36m2\x1b[0mx.\x1b[K", "user: [secret].\x1b[K"},
		{"hunter2x", "hunt\x1b[2Ker2x", "[secret]"},
		{key, "12:00 MIIEvQIBADANBgkqhkiG9w0\n12:00 -----END KEY-----", "12:00 [secret]\n12:00 -----END KEY-----"},
		{key, "all: " + key + "\n", "all: [secret]\n"},
		{key, "short", "short"},
	} {
		m := mask(t, c.value)
		once := m.Text(c.text)
		if once != c.want || m.Text(once) != once {
			t.Errorf("%q became %q and then %q, want %q", c.text, once, m.Text(once), c.want)
		}
	}
	got := mask(t, "hunter2x").JSON(json.RawMessage(`{"a":["x","hunt","er2x"],"b":["x","y"],"c":["hunter2x","y"],"d":[]}`))
	if want := `{"a":["x\n[secret]"],"b":["x","y"],"c":["[secret]","y"],"d":[]}`; string(got) != want {
		t.Errorf("%s, want %s", got, want)
	}
}
