package grid

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// keysIn adds the names of all properties in a schema, at every level.
func keysIn(schema any, keys map[string]bool) {
	switch s := schema.(type) {
	case map[string]any:
		for name, sub := range s {
			if names, ok := sub.(map[string]any); ok && name == "properties" {
				for key := range names {
					keys[key] = true
				}
			}
			keysIn(sub, keys)
		}
	case []any:
		for _, sub := range s {
			keysIn(sub, keys)
		}
	}
}

func document(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile("../../docs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestKeysAreDocumented compares the documents with the schema, both ways: each
// key of the schema is written in docs/spec.md, or in docs/nomad.md, to which it
// refers, as code or in an example; and what a table of keys lists is a key.
func TestKeysAreDocumented(t *testing.T) {
	var schema any
	if err := json.Unmarshal(Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	keysIn(schema, keys)
	text := document(t, "spec.md")
	written := map[string]bool{}
	for _, code := range regexp.MustCompile("(?s)```.*?```|`[^`\n]+`").FindAllString(text+document(t, "nomad.md"), -1) {
		for _, word := range regexp.MustCompile(`[a-z_]+`).FindAllString(code, -1) {
			written[word] = true
		}
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if !written[key] {
			t.Errorf("the schema has the key %q, and the documents do not name it", key)
		}
	}
	listed := 0
	for _, table := range strings.Split(text, "| key | |\n|---|---|\n")[1:] {
		for line := range strings.Lines(table) {
			row := regexp.MustCompile("^\\| `([a-z_]+)` \\|").FindStringSubmatch(line)
			if row == nil {
				break
			}
			if listed++; !keys[row[1]] {
				t.Errorf("docs/spec.md lists the key %q, and the schema does not have it", row[1])
			}
		}
	}
	if listed < 25 {
		t.Errorf("only %d keys are listed: the tables of keys were not found", listed)
	}
}
