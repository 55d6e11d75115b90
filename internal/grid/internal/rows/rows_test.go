package rows

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/value"
)

func TestRead(t *testing.T) {
	for _, c := range []struct{ name, file, text, want string }{
		{"csv", "r.csv", "\ufeffregion,rate\neu,0.5\n\"us, east\",\n", `{"rate":"0.5","region":"eu"} {"rate":null,"region":"us, east"}`},
		{"csv with CRLF, quotes and a blank line", "r.csv", "a\r\n\"x\r\n\"\"y\"\"\"\r\n\r\nz\r\n", `{"a":"x\n\"y\""} {"a":"z"}`},
		{"tsv", "r.tsv", "a\tb\n1\tx,y\n", `{"a":"1","b":"x,y"}`},
		{"json lines", "r.jsonl", "{\"b\": 1, \"a\": 1.0}\n\n{\"b\": [null, {\"c\": true}]}\n", `{"a":1.0,"b":1} {"b":[null,{"c":true}]}`},
		{"a list of objects", "r.json", " [{\"a\": 1}, {\"a\": 12345678901234567890}] ", `{"a":1} {"a":12345678901234567890}`},
		{"standard input that is JSON", "-", "{\"a\": 1}", `{"a":1}`},
		{"standard input that is a table", "-", "a,b\n1,2\n", `{"a":"1","b":"2"}`},
		{"standard input with tabs", "-", "a\tb\n1\t2\n", `{"a":"1","b":"2"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			rows, err := Read(c.file, []byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, row := range rows {
				m := map[string]any{}
				for _, b := range row {
					m[b.Name] = b.Value
				}
				v, err := value.Of(m)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, v.String())
			}
			if d := cmp.Diff(c.want, strings.Join(got, " ")); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestReadMistakes(t *testing.T) {
	for _, c := range []struct{ name, file, text, want string }{
		{"empty", "r.csv", "", "r.csv: the file is empty"},
		{"empty json", "r.jsonl", "", "r.jsonl: the file has no rows"},
		{"ragged", "r.csv", "a,b\n1\n1,2\n1,2,3\n", "r.csv:2:1: 1 field, and the first line names 2\nr.csv:4:1: 3 fields, and the first line names 2"},
		{"a bare quote", "r.csv", "a\nx\"y\n", "r.csv:2:2: bare"},
		{"a name twice", "r.csv", "a,a\n1,2\n", "two columns are called `a`"},
		{"no name", "r.csv", "a,\n1,2\n", "column 2 has no name"},
		{"not UTF-8", "r.csv", "a\n\xff\n", "r.csv:2:1: \"\\xff\" is not UTF-8"},
		{"not an object", "r.jsonl", "{\"a\":1}\n3\n", "r.jsonl:2:2: want an object, not 3"},
		{"cut off", "r.jsonl", "{\"a\":1}\n{\"a\":", "r.jsonl:2:6: unexpected EOF"},
		{"a list cut off", "r.json", "[{\"a\":1},", "r.json:1:10"},
		{"key twice", "r.jsonl", "{\"a\":1,\"a\":2}", "`a` is given twice"},
		{"no names", "r.jsonl", "{}", "at least one parameter"},
		{"too large", "r.jsonl", "{\"a\":1e999}", "`a`: 1e999 is not a number"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Read(c.file, []byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want %q", err, c.want)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add("r.csv", []byte("a,b\n1,\"x\ny\"\n"))
	f.Add("r.jsonl", []byte("{\"a\": 1}\n{\"a\": {\"b\": [1.5, null]}}"))
	f.Add("-", []byte("[{\"a\": 1}]"))
	f.Fuzz(func(t *testing.T, file string, text []byte) {
		rows, err := Read(file, text)
		if err != nil {
			return
		}
		for _, row := range rows {
			for _, b := range row {
				if again, err := value.Parse([]byte(b.Value.String())); err != nil || again != b.Value {
					t.Fatalf("%s reads back as %s, %v", b.Value, again, err)
				}
			}
		}
	})
}
