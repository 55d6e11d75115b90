package outcome

// A Finding is how one check of a machine, a cluster or a store ended.
type Finding struct {
	What, Detail string
	Err          error // says what is missing; nil when nothing is
}
