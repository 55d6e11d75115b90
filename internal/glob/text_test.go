package glob

import "testing"

// In a text a slash is a character like others, in the same dialect.
func TestMatchText(t *testing.T) {
	const text = "HTTPError: 503 for https://host/a/b\nretry later"
	for pattern, want := range map[string]bool{
		"HTTPError: *": true, "*": true, "**": true, "*503*": true, "HTTPError: 50? for*": true, "HTTPError: {502,503} for *": true,
		"*/a/b*": true, "*/[a-c]/b*": true, "HTTPError": false, "HTTPError: 4*": false, "*/b/a*": false, "HTTPError: [": false, "": false,
	} {
		if got := MatchText(pattern, text); got != want {
			t.Errorf("%q: %v", pattern, got)
		}
	}
}
