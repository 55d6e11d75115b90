package alloc

import (
	"strings"
	"testing"
)

// Whatever a server sends as an event or a listing is passed over, or an error.
func FuzzAllocs(f *testing.F) {
	f.Add(`{"Index":7,"Events":[{"Index":7,"Payload":{"Allocation":{"ID":"a","JobID":"j","ClientStatus":"complete"}}}]}`)
	f.Add(`{"Events":[null,{"Payload":null}]}`)
	f.Add(`[{"ID":"a","JobID":"j","CreateIndex":18446744073709551615},null,{}]`)
	f.Add(`[{"ID":"é\u0000/../","NodeName":"\u001b[31m"}`)
	f.Fuzz(func(t *testing.T, text string) {
		var all []Alloc
		learn := func(_ string, a Alloc) { all = append(all, a) }
		OfEvents([]byte(text), learn)
		OfList(strings.NewReader(text), learn)
		for _, a := range all {
			if strings.ContainsAny(a.String(), "\x1b\n\x00\u202e") {
				t.Errorf("%q", a.String())
			}
		}
		Terminal(all)
		Disconnected(all)
	})
}
