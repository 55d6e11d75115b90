package decide

import "math"

// Spent is how much of alpha may be used up when a share t of the most
// replicates is there: Lan and DeMets's spending function that resembles
// O'Brien and Fleming's bounds, of two sides with alpha/2 each.
func Spent(alpha, t float64) float64 {
	switch {
	case t <= 0:
		return 0
	case t >= 1:
		return alpha
	}
	// 4(1 − Φ(z/√t)) with z the normal quantile of 1 − alpha/4.
	return 2 * math.Erfc(math.Erfinv(1-alpha/2)/math.Sqrt(t))
}

// Level is what the next look may use of alpha: what may be spent by then and
// was not by the last one. last is 0 before the first look.
func Level(alpha float64, last, next, most int) float64 {
	share := func(n int) float64 { return Spent(alpha, float64(n)/float64(most)) }
	return share(next) - share(last)
}

// Next is how many replicates the look after one at n waits for: half as many
// again. The last look but one is at 65% of all there can be at most, as what that
// spends of alpha is lost to the last one, which decides most often.
func Next(n, most int) int {
	next, late := n+(n+1)/2, most*13/20
	switch {
	case next <= late:
		return next
	case 5*late > 6*n:
		return late
	}
	return most
}
