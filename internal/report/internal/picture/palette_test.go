package picture

import (
	"image"
	"image/color"
	"testing"
)

// No pixel moves far from its colour, however many there are, and the colour
// of most of a picture stays exactly what it is.
func TestPaletted(t *testing.T) {
	src := image.NewRGBA(image.Rect(0, 0, 200, 200))
	for y := range 200 {
		for x := range 200 {
			c := color.RGBA{R: 0xff, G: 0xff, B: 0xff, A: 0xff}
			if x > 150 {
				c = color.RGBA{R: uint8(y), G: uint8(y / 2), B: uint8(x), A: 0xff}
			}
			src.SetRGBA(x, y, c)
		}
	}
	out := paletted(src)
	if len(out.Palette) > 256 {
		t.Fatalf("%d colours", len(out.Palette))
	}
	for y := range 200 {
		for x := range 200 {
			want, got := src.RGBAAt(x, y), color.RGBAModel.Convert(out.At(x, y)).(color.RGBA)
			if x <= 150 && got != want {
				t.Fatalf("white became %v", got)
			}
			for _, d := range []int{int(want.R) - int(got.R), int(want.G) - int(got.G), int(want.B) - int(got.B)} {
				if d < -24 || d > 24 {
					t.Fatalf("at %d, %d: %v became %v", x, y, want, got)
				}
			}
		}
	}
}
