package grid

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/fanout-dev/fanout/internal/grid/internal/axes"
	"github.com/fanout-dev/fanout/internal/grid/internal/form"
	"github.com/fanout-dev/fanout/internal/grid/internal/yaml"
)

func compiledSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("sweep.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("sweep.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// schemaSays validates a sweep file as an editor would.
func schemaSays(t testing.TB, s *jsonschema.Schema, text string) error {
	t.Helper()
	r := yaml.NewReader("")
	n, err := r.Parse("", []byte(text))
	if err != nil || n == nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(r.Value(n).String()))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(v)
}

func TestSchemaIsSchema(t *testing.T) {
	if !json.Valid(Schema()) {
		t.Fatal("not JSON")
	}
	compiledSchema(t)
	if !bytes.Equal(Schema(), Schema()) {
		t.Error("it differs from call to call")
	}
}

// Whatever Decode accepts an editor accepts: the examples of the manual and
// every file of testdata/valid.
func TestSchemaAcceptsWhatDecodeAccepts(t *testing.T) {
	s := compiledSchema(t)
	check := func(name, text string) {
		if _, err := Decode(name, []byte(text)); err != nil {
			t.Errorf("%s: decode: %v", name, err)
		}
		if err := schemaSays(t, s, text); err != nil {
			t.Errorf("%s: schema: %v", name, err)
		}
	}
	files, _ := filepath.Glob("testdata/valid/*.yaml")
	if len(files) < 4 {
		t.Fatalf("only %d files", len(files))
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		check(f, string(text))
	}
	for _, e := range manualExamples(t) {
		if e.error == "" {
			check("docs/spec.md", e.source)
		}
	}
}

// beyondSchema are mistakes that no schema sees: repeated keys, relations
// between keys, values of texts, what the templates say.
var beyondSchema = regexp.MustCompile(`not a pattern|a key must be|the date format has no|a secret belongs|want the name of an environment|is here twice|there twice|twice|both|same run|one run|only in case|here, and is|no point matches|nothing (in|the)|matches|expression|derived from|equally long|does not lead|is after|not a date|unknown time zone|not the name|aliases|merge|no rows|reserved for columns|not a name that|one document|begins another|did not find|is empty|leading zero|could be a string|not a value|logspace|the same|align|no value|not a template|number of|percent|directive|the range has|tag|nest deeper|too large|no such date|closer together|folder|percentage; not "(now|soon),(fail|success|done)=`)

// What an editor refuses Decode refuses; what Decode refuses an editor refuses
// unless it is beyond a schema.
func TestSchemaRefusesWhatDecodeRefuses(t *testing.T) {
	s := compiledSchema(t)
	refused := 0
	for _, c := range mistakeCases {
		_, err := Decode("sweep.yaml", []byte(c.spec))
		said := schemaSays(t, s, c.spec)
		switch {
		case said != nil:
			refused++
			if err == nil {
				t.Errorf("%s: only the schema refuses it: %v", c.name, said)
			}
		case err != nil && !beyondSchema.MatchString(err.Error()):
			t.Errorf("%s: the schema does not refuse it, and Decode says %v", c.name, err)
		}
	}
	if refused < 25 {
		t.Errorf("the schema refuses only %d of %d mistakes", refused, len(mistakeCases))
	}
}

// The schema knows every key that Decode knows, and no other.
func TestSchemaKnowsEveryKey(t *testing.T) {
	var doc struct{ Properties map[string]any }
	if err := json.Unmarshal(Schema(), &doc); err != nil {
		t.Fatal(err)
	}
	want := slices.Concat(form.Names(keys), axes.Ways)
	slices.Sort(want)
	if got := sortedKeys(doc.Properties); !slices.Equal(got, want) {
		t.Errorf("the schema knows %v, and Decode %v", got, want)
	}
}

// Files in testdata/valid expand, too.
func TestValidFilesExpand(t *testing.T) {
	for file, want := range map[string]int{"shapes": 16, "include_only": 2, "repeat_only": 3} {
		text, err := os.ReadFile("testdata/valid/" + file + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		g := mustGrid(t, string(text), nil)
		n := 0
		for range g.Points() {
			n++
		}
		if c, err := g.Count(t.Context()); n != want || c != want || err != nil {
			t.Errorf("%s: %d points, Count = %d, %v, want %d", file, n, c, err, want)
		}
	}
}

// The file that has every key means what its comments say.
func TestEveryKey(t *testing.T) {
	source, err := os.ReadFile("testdata/valid/everything.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Decode("sweep.yaml", source)
	if err != nil {
		t.Fatal(err)
	}
	g, err := s.Grid(Inputs{AsOf: time.Date(2026, 1, 11, 1, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	n, err := g.Count(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// 3 regions × 10 days × 5 rates × 2 variants = 300; less apac's control (50);
	// less rate 0.5 outside us-east (eu-west 20, apac 10); where drops what
	// include adds. 220 points, all in the sample of 500, five replicates each.
	if n != 220*5 {
		t.Errorf("%d runs, want %d", n, 220*5)
	}
	for p := range g.Points() {
		if table, _ := p.get("table"); !strings.HasPrefix(table.Text(), "events_") {
			t.Fatalf("table is %s", table)
		}
		if _, leaked := p.get("api_key"); leaked {
			t.Fatal("a secret is among the parameters")
		}
		place, err := g.Placement(p)
		if region, _ := p.get("region"); err != nil || len(place) != 2 || place[0].Value != region || place[1].Value.String() != "40" {
			t.Fatalf("placement is %v, %v", place, err)
		}
		if want := 2 * time.Hour; g.Settings(p).Timeout.Run.D != want {
			if region, _ := p.get("region"); region.Text() == "apac" {
				t.Fatalf("timeout of %v is %v", p, g.Settings(p).Timeout)
			}
		}
	}
}
