package align

import (
	"context"
)

// classesOf sorts runs by the output of each row: runs with equal numbers have
// equal outputs, −1 those that did not reach the cell. Each step is taken only
// by cells that still differ: bytes first, then normalised outputs, then
// numbers within the tolerance and pictures by what they show.
func classesOf(ctx context.Context, l *library, rows []row, tolerance float64) ([]division, error) {
	all := make([]division, len(rows))
	wanted := make([][]place, len(l.runs)) // by run: rows whose prints are needed
	for r := range rows {
		all[r] = byBytes(l, rows[r])
		for class, run := range all[r].first {
			if len(all[r].first) > 1 {
				wanted[run] = append(wanted[run], place{r, class})
			}
		}
		all[r].prints = make([]print, len(all[r].first))
	}
	err := inParallel(ctx, len(l.runs), func(run int) {
		for _, w := range wanted[run] { // one after the other: the notebook is read once
			d := &all[w.run]
			d.prints[w.cell] = l.print(run, rows[w.run].at[run])
		}
	})
	if err != nil {
		return nil, err
	}
	err = inParallel(ctx, len(rows), func(r int) {
		if len(all[r].first) > 1 {
			all[r].unite(l, rows[r], tolerance)
		}
	})
	return all, err
}

// A division is the runs of a row by output.
type division struct {
	class  []int // by run
	first  []int // by class: its first run
	prints []print
	spread float64 // by how large a share numbers differ from the first ones
}

func byBytes(l *library, r row) division {
	d := division{class: make([]int, len(l.runs))}
	index := map[[16]byte]int{}
	for run, i := range r.at {
		if d.class[run] = -1; i < 0 || !l.sheets[run].cells[i].reached {
			continue
		}
		key := l.sheets[run].cells[i].output
		class, known := index[key]
		if !known {
			class = len(d.first)
			index[key], d.first = class, append(d.first, run)
		}
		d.class[run] = class
	}
	return d
}

const (
	maxLeaders  = 64 // outputs that another one is compared with
	maxPictures = 16 // outputs whose pictures are decoded, unless that unites some
)

// unite makes one class of those that differ in nothing that counts.
func (d *division) unite(l *library, r row, tolerance float64) {
	u := newUnion(len(d.first))
	plain, clocked := map[[16]byte]int{}, map[[16]byte]int{}
	leaders := map[[16]byte][]int{} // by frame
	pictures, likely := &sameness{}, 0
	for class := range d.first {
		p := d.prints[class]
		known := u.joinEqual(plain, p.plain, class)
		if u.joinEqual(clocked, p.clocked, class) || known {
			continue
		}
		for i, leader := range leaders[p.frame.Digest] {
			q := d.prints[leader]
			if !p.frame.Near(q.frame, tolerance, &likely) {
				if i == 0 {
					d.spread = max(d.spread, spreadOf(p.frame.Numbers, q.frame.Numbers))
				}
				continue
			}
			a, b := d.first[class], d.first[leader]
			if equalPictures(p, q) || pictures.of(l, place{a, r.at[a]}, place{b, r.at[b]}) {
				u.join(leader, class)
				break
			}
		}
		if u.find(class) == class && len(leaders[p.frame.Digest]) < maxLeaders {
			leaders[p.frame.Digest] = append(leaders[p.frame.Digest], class)
		}
	}
	d.renumber(u)
}

// sameness decodes pictures as long as that may unite outputs: encoders that
// write equal pictures differently are rare.
type sameness struct{ decoded, same int }

func (s *sameness) of(l *library, a, b place) bool {
	if s.decoded >= maxPictures && s.same == 0 {
		return false
	}
	s.decoded++
	if !l.showsSame(a, b) {
		return false
	}
	s.same++
	return true
}

// A union is classes that were joined: each knows an earlier one of its own,
// or itself.
type union []int

func newUnion(n int) union {
	u := make(union, n)
	for i := range u {
		u[i] = i
	}
	return u
}

func (u union) find(i int) int {
	for u[i] != i {
		i = u[i]
	}
	return i
}

func (u union) join(i, j int) {
	a, b := u.find(i), u.find(j)
	u[max(a, b)] = min(a, b)
}

// joinEqual joins a class with the one that has the same key, if there is one.
func (u union) joinEqual(classes map[[16]byte]int, key [16]byte, class int) bool {
	known, ok := classes[key]
	if ok {
		u.join(known, class)
	} else {
		classes[key] = class
	}
	return ok
}

func equalPictures(p, q print) bool {
	if len(p.pictures) != len(q.pictures) {
		return false
	}
	for i := range p.pictures {
		if p.pictures[i] != q.pictures[i] {
			return false
		}
	}
	return true
}

// spreadOf is the largest share by which one of the numbers differs.
func spreadOf(x, y []float64) float64 {
	most := 0.0
	for i := range min(len(x), len(y)) {
		if scale := max(abs(x[i]), abs(y[i])); scale > 0 {
			most = max(most, abs(x[i]-y[i])/scale)
		}
	}
	return most
}

func abs(x float64) float64 {
	if x < 0 {
		return -x
	}
	return x
}

// renumber gives the classes that are left numbers from 0.
func (d *division) renumber(u union) {
	number, first := make([]int, len(u)), []int{}
	for class := range u {
		root := u.find(class)
		if root == class {
			number[class] = len(first)
			first = append(first, d.first[class])
			continue
		}
		number[class] = number[root]
	}
	for run, class := range d.class {
		if class >= 0 {
			d.class[run] = number[class]
		}
	}
	d.first, d.prints = first, nil
}
