package delta

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"image"
	"image/draw"
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"
	"math/bits"

	"github.com/fanout-dev/fanout/internal/align/internal/normal"
)

// maxPixels is how large a picture may be to be decoded.
const maxPixels = 16 << 20

// Pixels digests what a picture shows, whichever program compressed it; ok is
// false for what cannot be decoded.
func Pixels(p *normal.Part) (digest [16]byte, ok bool) {
	m, ok := decode(p.Raw)
	if !ok {
		return digest, false
	}
	h := sha256.New()
	fmt.Fprintf(h, "%v", m.Rect)
	h.Write(m.Pix)
	return [16]byte(h.Sum(nil)), true
}

func decode(file []byte) (*image.NRGBA, bool) {
	size, _, err := image.DecodeConfig(bytes.NewReader(file))
	if err != nil || size.Width <= 0 || size.Height <= 0 || size.Width > maxPixels/size.Height {
		return nil, false
	}
	m, _, err := image.Decode(bytes.NewReader(file))
	if err != nil {
		return nil, false
	}
	if plain, ok := m.(*image.NRGBA); ok && plain.Rect.Min == (image.Point{}) && plain.Stride == 4*plain.Rect.Dx() {
		return plain, true
	}
	plain := image.NewNRGBA(image.Rect(0, 0, m.Bounds().Dx(), m.Bounds().Dy()))
	draw.Draw(plain, plain.Rect, m, m.Bounds().Min, draw.Src)
	return plain, true
}

// pictures compares two pictures by what they show.
func (c *comparer) pictures(a, b *normal.Part) {
	x, ok := decode(a.Raw)
	y, both := decode(b.Raw)
	if !ok || !both {
		c.add(Delta{Output: b.What, Kind: Picture, From: summary(a), To: summary(b)})
		return
	}
	alike, outputs := bits.OnesCount64(sketch(x)^sketch(y)) <= 4, [2]int{a.Of + 1, b.Of + 1}
	sizes := [2][2]int{{x.Rect.Dx(), x.Rect.Dy()}, {y.Rect.Dx(), y.Rect.Dy()}}
	if x.Rect != y.Rect {
		c.add(Delta{Output: b.What, Kind: Shape, From: sizeText(x), To: sizeText(y), Alike: alike, Pair: outputs, Sizes: sizes})
		return
	}
	share := shareOf(x, y)
	if share > 0 {
		c.add(Delta{Output: b.What, Kind: Picture, Share: share, Alike: alike, Pair: outputs, Sizes: sizes})
	} else if !bytes.Equal(x.Pix, y.Pix) {
		c.add(Delta{Output: b.What, Kind: Picture, Where: "nothing that is visible", Alike: true})
	}
}

func sizeText(m *image.NRGBA) string { return fmt.Sprintf("%d × %d", m.Rect.Dx(), m.Rect.Dy()) }

// visibleChange is from how large a difference a pixel differs to the eye: the
// square of a tenth of that of black and white.
const visibleChange = 0.01 * 35215

// shareOf is the share of pixels that differ to the eye: in the space of
// brightness and two colours of NTSC television (YIQ), over white.
func shareOf(x, y *image.NRGBA) float64 {
	n := 0
	for i := 0; i+3 < len(x.Pix) && i+3 < len(y.Pix); i += 4 {
		p, q := x.Pix[i:i+4], y.Pix[i:i+4]
		if p[0] == q[0] && p[1] == q[1] && p[2] == q[2] && p[3] == q[3] {
			continue
		}
		r, g, b := over(p, 0)-over(q, 0), over(p, 1)-over(q, 1), over(p, 2)-over(q, 2)
		bright := 0.29889531*r + 0.58662247*g + 0.11448223*b
		inPhase := 0.59597799*r - 0.27417610*g - 0.32180189*b
		quadrature := 0.21147017*r - 0.52261711*g + 0.31114694*b
		if 0.5053*bright*bright+0.299*inPhase*inPhase+0.1957*quadrature*quadrature > visibleChange {
			n++
		}
	}
	return float64(n) / float64(max(1, len(x.Pix)/4))
}

// over is a channel of a pixel over white.
func over(p []byte, channel int) float64 {
	return 255 + (float64(p[channel])-255)*float64(p[3])/255
}

// sketch is which of 8 × 8 fields of a picture are darker than their right
// neighbour.
func sketch(m *image.NRGBA) uint64 {
	const columns, rows = 9, 8
	var light [rows][columns]float64
	w, h := m.Rect.Dx(), m.Rect.Dy()
	for r := range rows {
		for col := range columns {
			x0, x1 := col*w/columns, max((col+1)*w/columns, col*w/columns+1)
			y0, y1 := r*h/rows, max((r+1)*h/rows, r*h/rows+1)
			sum, n := 0.0, 0
			for y := y0; y < min(y1, h); y++ {
				for x := x0; x < min(x1, w); x++ {
					p := m.Pix[4*(y*w+x):]
					sum += 0.299*over(p, 0) + 0.587*over(p, 1) + 0.114*over(p, 2)
					n++
				}
			}
			light[r][col] = sum / float64(max(n, 1))
		}
	}
	var s uint64
	for r := range rows {
		for col := range columns - 1 {
			s <<= 1
			if light[r][col] < light[r][col+1] {
				s |= 1
			}
		}
	}
	return s
}
