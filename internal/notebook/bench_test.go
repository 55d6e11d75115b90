package notebook

import (
	"fmt"
	"strings"
	"testing"
)

// imageDoc is a notebook of 20 cells, most of whose 200 kB are images.
func imageDoc() []byte {
	var cells []string
	for i := range 20 {
		cells = append(cells, fmt.Sprintf(`{"cell_type":"code","id":"c%d","execution_count":1,"metadata":{"tags":["a"]},"source":["x = 1\n","plot(x)"],"outputs":[
			{"output_type":"stream","name":"stdout","text":["line one\n","line two\n"]},
			{"output_type":"display_data","metadata":{},"data":{"image/png":"%s\n","text/plain":["<Figure size 640x480 with 1 Axes>"]}},
			{"output_type":"display_data","metadata":{"scrapbook":{"name":"s%d","data":true,"display":false}},"data":{"application/scrapbook.scrap.json+json":{"name":"s%d","data":0.5,"encoder":"json","version":1}}}]}`,
			i, strings.Repeat("iVBORw0KGgoAAAANSUhEUgAA", 420), i, i))
	}
	return []byte(`{"cells":[` + strings.Join(cells, ",") + `],"metadata":{"kernelspec":{"name":"python3"}},"nbformat":4,"nbformat_minor":5}`)
}

func BenchmarkDecode(b *testing.B) {
	doc := imageDoc()
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		mustDecode(b, doc)
	}
}

func BenchmarkDecodeScraps(b *testing.B) {
	doc := imageDoc()
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		if all, _ := mustDecode(b, doc).Scraps(); len(all) != 20 {
			b.Fatal(len(all))
		}
	}
}

// BenchmarkEncodeAfterOneCell is a save while a notebook runs.
func BenchmarkEncodeAfterOneCell(b *testing.B) {
	n := mustDecode(b, imageDoc())
	n.Encode()
	b.ReportAllocs()
	for b.Loop() {
		n.Cells[10].Touch()
		n.Encode()
	}
}

func BenchmarkEncodeAll(b *testing.B) {
	n := mustDecode(b, imageDoc())
	for b.Loop() {
		for _, c := range n.Cells {
			c.Touch()
		}
		n.Encode()
	}
}
