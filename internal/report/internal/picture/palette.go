package picture

import (
	"image"
	"image/color"
	"slices"
)

// A bucket holds the pixels of colours that look alike: those with the same
// upper five bits of red, green and blue.
type bucket struct {
	n     int
	c     color.RGBA // the colour of most of them, if most have one
	votes int        // for c, as Boyer and Moore count
}

// add counts n pixels of one colour.
func (b *bucket) add(c color.RGBA, n int) {
	b.n += n
	switch {
	case b.c == c:
		b.votes += n
	case b.votes < n:
		b.c, b.votes = c, n-b.votes
	default:
		b.votes -= n
	}
}

func bucketOf(p []byte) int { return int(p[0]>>3)<<10 | int(p[1]>>3)<<5 | int(p[2]>>3) }

// paletted is an opaque picture in 256 colours at most. A plot has few colours
// and the steps between them: nothing is seen to go, and most of the bytes do.
func paletted(src *image.RGBA) *image.Paletted {
	buckets := make([]bucket, 1<<15)
	// Most pixels are like the one before.
	pix := src.Pix
	for i := 0; i < len(pix); {
		first, n := i, 1
		for i += 4; i < len(pix) && [4]byte(pix[i:i+4]) == [4]byte(pix[first:first+4]); i += 4 {
			n++
		}
		p := pix[first : first+4]
		buckets[bucketOf(p)].add(color.RGBA{R: p[0], G: p[1], B: p[2], A: 0xff}, n)
	}
	palette, index := choose(buckets)
	out := image.NewPaletted(src.Bounds(), palette)
	for i := range out.Pix {
		if p := pix[4*i : 4*i+4]; i > 0 && [4]byte(p) == [4]byte(pix[4*i-4:4*i]) {
			out.Pix[i] = out.Pix[i-1]
		} else {
			out.Pix[i] = index[bucketOf(p)]
		}
	}
	return out
}

// choose takes the fullest buckets, and the nearest of them for the rest.
func choose(buckets []bucket) (color.Palette, []uint8) {
	var used []int
	for i, b := range buckets {
		if b.n > 0 {
			used = append(used, i)
		}
	}
	slices.SortStableFunc(used, func(a, b int) int { return buckets[b].n - buckets[a].n })
	var palette color.Palette
	index := make([]uint8, len(buckets))
	for i, at := range used {
		if i < 256 {
			palette = append(palette, buckets[at].c)
		}
		index[at] = uint8(palette.Index(buckets[at].c))
	}
	return palette, index
}
