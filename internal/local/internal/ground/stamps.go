package ground

// stamps are what files and folders were like at a moment. Whatever is done to one of
// them since shows in the time at which it was last changed, which nobody can set.
type stamps map[string]stamp

// stamped bounds how many files and folders are worth looking at again.
const stamped = 48

// take notes the present state of files and folders. Without ok it is not known.
func (s stamps) take(paths ...string) (ok bool) {
	for _, p := range paths {
		now, known := stampOf(p)
		if !known || len(s) >= stamped {
			return false
		}
		s[p] = now
	}
	return true
}

// same reports whether all are as they were.
func (s stamps) same() bool {
	for p, was := range s {
		if now, known := stampOf(p); !known || now != was {
			return false
		}
	}
	return true
}
