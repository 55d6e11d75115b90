package feed

// Room changes how much is read of large scraps, and returns what changes it back.
func Room(n int) (back func()) {
	was := maxScraps
	maxScraps = n
	return func() { maxScraps = was }
}
