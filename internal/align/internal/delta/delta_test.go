package delta

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fanout-dev/fanout/internal/align/internal/normal"
	"github.com/fanout-dev/fanout/internal/notebook"
)

func shows(mime, text string) []normal.Part {
	raw := notebook.TextJSON(text)
	if len(text) > 0 && (text[0] == '{' || text[0] == '[') {
		raw = json.RawMessage(text)
	}
	return normal.Parts([]notebook.Output{{Type: "display_data", Data: map[string]json.RawMessage{mime: raw}}}, nil)
}

const frame = `<table border="1" class="dataframe"><thead><tr style="text-align: right;"><th></th><th>sales</th><th>n</th></tr></thead>
<tbody><tr><th>us</th><td>10.5</td><td>1</td></tr><tr><th>eu</th><td>20.0</td><td>2</td></tr></tbody></table>`

func TestDeltas(t *testing.T) {
	replace := func(s, old, new string) string { return string(bytes.Replace([]byte(s), []byte(old), []byte(new), 1)) }
	for name, c := range map[string]struct {
		mime, a, b string
		want       []Delta
	}{
		"a number": {"text/plain", "rmse: 0.5, n: 3", "rmse: 0.75, n: 3", []Delta{{Kind: Number, Where: "rmse", From: "0.5", To: "0.75", Change: 0.25, Share: 0.5}}},
		"numbers of two words": {"text/plain", "a 1\nepoch 3 loss 0.5", "a 1\nepoch 4 loss 0.25", []Delta{
			{Kind: Number, Where: "epoch", From: "3", To: "4", Change: 1, Share: 1. / 3}, {Kind: Number, Where: "epoch loss", From: "0.5", To: "0.25", Change: -0.25, Share: -0.5}}},
		"a text":     {"text/plain", "status good", "status bad", []Delta{{Kind: Text, From: "status good", To: "status bad"}}},
		"a date":     {"text/plain", "on 2026-11-29", "on 2026-11-30", []Delta{{Kind: Text, From: "on 2026-11-29", To: "on 2026-11-30"}}},
		"lines more": {"text/plain", "a\nc", "a\nb\nb2\nc", []Delta{{Kind: Added, To: "b", Count: 2}}},
		"lines less": {"text/plain", "a\nb\nc", "a\nc", []Delta{{Kind: Removed, From: "b"}}},
		"spacing":    {"text/plain", "a  b", "a b", []Delta{{Kind: Markup, Where: "spacing"}}},
		"a cell":     {"text/html", frame, replace(frame, "20.0", "25.0"), []Delta{{Kind: Cell, Where: "row eu, sales", From: "20.0", To: "25.0", Change: 5, Share: 0.25}}},
		"a row":      {"text/html", frame, replace(frame, "<tr><th>eu</th><td>20.0</td><td>2</td></tr>", ""), []Delta{{Kind: Shape, From: "2 rows", To: "1 row"}, {Kind: Removed, Where: "row eu", From: "20.0 2"}}},
		"a column":   {"text/html", frame, replace(frame, "<th>n</th>", "<th>m</th>"), []Delta{{Kind: Added, Where: "column m"}, {Kind: Removed, Where: "column n"}}},
		"a color":    {"text/html", `<b style="color: red">1</b>`, `<b style="color: blue">1</b>`, []Delta{{Kind: Markup, From: `<b style="color: red">`, To: `<b style="color: blue">`}}},
		"a resource": {"application/vnd.dataresource+json", `{"schema":{"fields":[{"name":"i"},{"name":"x"}],"primaryKey":["i"]},"data":[{"i":7,"x":1.5}]}`, `{"schema":{"fields":[{"name":"i"},{"name":"x"}],"primaryKey":["i"]},"data":[{"i":7,"x":3}]}`,
			[]Delta{{Kind: Cell, Where: "row 7, x", From: "1.5", To: "3", Change: 1.5, Share: 1}}},
		"a value":     {"application/json", `{"a":{"b":[1,"x"]}}`, `{"a":{"b":[1,"y"]}}`, []Delta{{Kind: Value, Where: "a.b[1]", From: "x", To: "y"}}},
		"many values": {"application/json", `{"y":[1,2,3,4]}`, `{"y":[2,2,5,9]}`, []Delta{{Kind: Numbers, Where: "y[3]", From: "4", To: "9", Change: 5, Share: 1.25, Count: 3}}},
		"packed":      {"application/vnd.plotly.v1+json", `{"y":{"dtype":"i1","bdata":"AQID"}}`, `{"y":{"dtype":"i1","bdata":"AQIE"}}`, []Delta{{Kind: Value, Where: "y[2]", From: "3", To: "4", Change: 1, Share: 1. / 3}}},
		"a key":       {"application/json", `{"a":1}`, `{"b":1}`, []Delta{{Kind: Added, Where: "b", To: "1"}, {Kind: Removed, Where: "a", From: "1"}}},
	} {
		for i := range c.want {
			c.want[i].Output = c.mime
		}
		got, left := Of(shows(c.mime, c.a), shows(c.mime, c.b), 0)
		if d := cmp.Diff(c.want, got, cmpopts.EquateApprox(1e-12, 0)); d != "" || left != 0 {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// A difference of two texts is never passed over in silence.
func FuzzOf(f *testing.F) {
	f.Add("a 1", "a  1")
	f.Add("", "\n")
	f.Add("<table><tr><td>1", "<table><tr><td>1 ")
	f.Add("1.", "1")
	f.Add("0e1", "0")
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, mime := range []string{"text/plain", "text/html", "application/json", "image/png"} {
			x, y := shows(mime, a), shows(mime, b)
			found, _ := Of(x, y, 0)
			if mime != "image/png" && normal.Digest(x) != normal.Digest(y) && len(found) == 0 && !FrameOf(x, 1000).Near(FrameOf(y, 1000), 0, new(int)) {
				t.Errorf("%s: %q and %q: nothing is said to differ", mime, a, b)
			}
		}
	})
}

// picture is a white picture with some black rows.
func picture(t *testing.T, w, h, black int, level png.CompressionLevel) []normal.Part {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		shade := color.NRGBA{255, 255, 255, 255}
		if i < w*black {
			shade = color.NRGBA{A: 255}
		}
		m.SetNRGBA(i%w, i/w, shade)
	}
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: level}).Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return shows("image/png", base64.StdEncoding.EncodeToString(b.Bytes()))
}

func TestPictures(t *testing.T) {
	a := picture(t, 100, 100, 10, png.BestSpeed)
	same := picture(t, 100, 100, 10, png.BestCompression)
	if normal.Digest(a) == normal.Digest(same) {
		t.Fatal("the bytes are to differ")
	}
	if p, ok := Pixels(&a[0]); !ok {
		t.Error("not decoded")
	} else if q, _ := Pixels(&same[0]); p != q {
		t.Error("equal pictures differ")
	}
	if got, _ := Of(a, same, 0); len(got) != 0 {
		t.Errorf("equal pictures differ: %+v", got)
	}
	got, _ := Of(a, picture(t, 100, 100, 12, png.BestSpeed), 0)
	if len(got) != 1 || got[0].Kind != Picture || got[0].Share != 0.02 || got[0].Pair != [2]int{1, 1} {
		t.Errorf("%+v, want 2%% of the picture", got)
	}
	got, _ = Of(a, picture(t, 120, 100, 10, png.BestSpeed), 0)
	if len(got) != 1 || got[0].Kind != Shape || got[0].From != "100 × 100" || got[0].To != "120 × 100" {
		t.Errorf("%+v, want the sizes", got)
	}
}
