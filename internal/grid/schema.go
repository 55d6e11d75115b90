package grid

import (
	"github.com/fanout-dev/fanout/internal/grid/internal/form"
	"github.com/fanout-dev/fanout/internal/grid/internal/schema"
)

// Schema is a JSON Schema (draft 2020-12) of the sweep file, for editors. What
// it allows Decode may still refuse: it knows words and kinds, and not what
// one key has to do with another.
func Schema() []byte { return schema.Of(form.Object(keys)) }
