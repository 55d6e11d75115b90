package alloc

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/nomad/api"
)

// An allocation on a node that is drained is known as such, wherever it is read.
func TestDrained(t *testing.T) {
	for description, want := range map[string]bool{"alloc is being migrated": true, "": false, "alloc not needed as node is tainted": false} {
		check := func(where string, a Alloc) {
			if a.Drained != want || a.ID != "a" || a.Node != "n" || a.Status != "complete" || a.Created != 3 || a.Modified < 4 {
				t.Errorf("%s: %+v, want drained %v", where, a, want)
			}
		}
		text := fmt.Sprintf(`{"ID":"a","JobID":"j","NodeName":"n","ClientStatus":"complete","DesiredDescription":%q,"CreateIndex":3,"ModifyIndex":4}`, description)
		if err := OfList(strings.NewReader("["+text+"]"), func(_ string, a Alloc) { check("a listing", a) }); err != nil {
			t.Error(err)
		}
		OfEvents([]byte(`{"Events":[{"Index":5,"Payload":{"Allocation":`+text+`}}]}`), func(_ string, a Alloc) { check("an event", a) })
		check("a stub", Of(&api.AllocationListStub{ID: "a", NodeName: "n", ClientStatus: "complete", DesiredDescription: description, CreateIndex: 3, ModifyIndex: 4}))
	}
}
