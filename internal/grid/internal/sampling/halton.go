package sampling

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"iter"
	"math"
	"slices"
)

// Spread yields different combinations of choices, an index below each of the
// sizes, so that the first k fill the whole evenly for every k: Halton's sequence,
// with the digits of each dimension permuted by the seed. It ends when it has
// yielded all combinations, or has drawn as often as tries allows.
//
// The sequence is computed here rather than by a library, since which runs a
// sweep has must not change with the version of one.
func Spread(seed int, sizes []int, tries int) iter.Seq[[]int] {
	return func(yield func([]int) bool) {
		dims, all := make([]dimension, len(sizes)), 1.0
		for d, base := range primes(len(sizes)) {
			dims[d] = permuted(seed, d, base)
			all *= float64(sizes[d])
		}
		seen := map[string]bool{}
		for i := 0; i < tries && float64(len(seen)) < all; i++ {
			at := make([]int, len(sizes))
			for d, n := range sizes {
				at[d] = min(int(dims[d].at(i)*float64(n)), n-1)
			}
			if key := fmt.Sprint(at); !seen[key] {
				if seen[key] = true; !yield(at) {
					return
				}
			}
		}
	}
}

// A dimension is a radical inverse whose digits are permuted, each place by a
// permutation of its own.
type dimension struct {
	base   int
	places [][]int
}

// permuted draws the permutations of a dimension: digits in the order of their
// hashes. There are as many places as a float tells apart.
func permuted(seed, d, base int) dimension {
	x := dimension{base: base}
	for place := range int(math.Ceil(48 / math.Log2(float64(base)))) {
		hashes := make([][sha256.Size]byte, base)
		digits := make([]int, base)
		for i := range base {
			digits[i], hashes[i] = i, sha256.Sum256(fmt.Appendf(nil, "halton %d %d %d %d", seed, d, place, i))
		}
		slices.SortFunc(digits, func(a, b int) int { return bytes.Compare(hashes[a][:], hashes[b][:]) })
		x.places = append(x.places, digits)
	}
	return x
}

// at is number i of the sequence, from 0 on and below 1. Places beyond the digits
// of i count as zeros, which are permuted, too.
func (x dimension) at(i int) float64 {
	sum, unit := 0.0, 1.0
	for _, digits := range x.places {
		unit /= float64(x.base)
		sum += unit * float64(digits[i%x.base])
		i /= x.base
	}
	return sum
}

// primes are the first n.
func primes(n int) []int {
	var out []int
	for p := 2; len(out) < n; p++ {
		if !slices.ContainsFunc(out, func(q int) bool { return p%q == 0 }) {
			out = append(out, p)
		}
	}
	return out
}
