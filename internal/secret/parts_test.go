package secret

import (
	"encoding/json"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
)

// TestParts: what a program takes out of a structured value is found by itself, and
// what is no secret in it stays readable.
func TestParts(t *testing.T) {
	const pem = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nMzEfYyjiWA4R4/M2bS1GB4t7NXp98C3S\n-----END PRIVATE KEY-----\n"
	account, _ := json.Marshal(map[string]any{"type": "service_account", "private_key": pem, "private_key_id": "0f3a9b77c2", "user": "ana", "db": []any{map[string]any{"password": "Sw0rd1"}}})
	for _, c := range []struct{ value, text, want string }{
		{string(account), "read MzEfYyjiWA4R4/M2bS1GB4t7NXp98C3S", "read [secret]"},
		{string(account), "key:\n" + pem, "key:\n[secret]"},
		{string(account), "0f3a9b77c2 of ana, a service_account, by Sw0rd1", "[secret] of ana, a service_account, by [secret]"},
		{string(account), "0f3a9\n b77c2", "[secret]"},
		{"postgresql://ana:p%40ss%2Fword@db.example.org:5432/sales", "host=db.example.org password=p@ss/word user=ana", "host=db.example.org password=[secret] user=ana"},
		{"postgresql://ana:p%40ss%2Fword@db.example.org:5432/sales", "ana:p%40ss%2Fword@other", "ana:[secret]@other"},
		{"redis://:0123@cache/0", "0123", "0123"},
		{"[1, 2, 3, 4]", "1, 2", "1, 2"},
		{"naïve-café-9", norm.NFD.String("a naïve-café-9."), "a [secret]."},
		{norm.NFD.String("naïve-café-9"), "a naïve-café-9.", "a [secret]."},
		{`pa"ss-wörd`, "eyJrIjogInBhXCJzcy13XHUwMGY2cmQifQ==", "eyJrIjogIn[secret]QifQ=="}, // json.dumps({"k": …})
	} {
		if got := mask(t, c.value).Text(c.text); got != c.want {
			t.Errorf("%q became %q, want %q", c.text, got, c.want)
		}
	}
	if got := string(mask(t, "739184625").JSON(json.RawMessage(`[739184625,739184625.0,739184625.5,0.739184625]`))); got != `["[secret]","[secret]",739184625.5,0.739184625]` {
		t.Error(got)
	}
}

// TestSplitKeepsMarks: a mark that was put is given out whole, whatever may follow.
func TestSplitKeepsMarks(t *testing.T) {
	m := mask(t, "hunter2x", "t0psecret-word", "]bracketed")
	for _, after := range []string{"", "hun", "t", "t0p"} {
		sure, open := m.Split("a hunter2x" + after)
		if strings.Count(sure+open, Mark) != 1 || !strings.Contains(sure, Mark) {
			t.Errorf("%q and %q", sure, open)
		}
		if got := sure + m.Text(open); got != "a "+Mark+after {
			t.Error(got)
		}
	}
}
