package listing

import (
	"bytes"
	"encoding/json"

	"github.com/fanout-dev/fanout/internal/query"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/value"
)

// An Object is a JSON object whose fields keep their order.
type Object []field

type field struct {
	name  string
	value any
}

// Of is one run as a JSON object, with how it went.
func Of(r query.Run) Object {
	o := given(r.Run)
	o.Set("status", r.Status)
	o.Set("planned", !r.Run.Unplanned)
	if len(r.Stale) > 0 {
		o.Set("stale", r.Stale)
	}
	for _, c := range query.Columns() {
		if v := c.Of(r); c.Field != "" && v != nil {
			o.Set(c.Field, v)
		}
	}
	if r.Last != nil {
		o.Set("ended_at", r.Outcome.End)
	}
	if scraps := query.Scraps(r.RunState); len(scraps) > 0 {
		o.Set("scraps", scraps)
	}
	return o
}

// given is what a run is given.
func given(r sweep.Run) Object {
	o := Object{{"run_id", r.ID}, {"parameters", byName(r.Params)}}
	if len(r.Labels) > 0 {
		o.Set("labels", byName(r.Labels))
	}
	o.Set("replicate", r.Replicate)
	if step := r.Step(); step != "" {
		o.Set("step", step)
	} else if r.Template != "" {
		o.Set("template", r.Template)
	}
	return o
}

func byName(bindings []value.Binding) map[string]value.Value {
	m := map[string]value.Value{}
	for _, b := range bindings {
		m[b.Name] = b.Value
	}
	return m
}

// Set appends a field, or replaces it in place.
func (o *Object) Set(name string, value any) {
	for i := range *o {
		if (*o)[i].name == name {
			(*o)[i].value = value
			return
		}
	}
	*o = append(*o, field{name, value})
}

// MarshalJSON writes the fields in their order.
func (o Object) MarshalJSON() ([]byte, error) {
	b := bytes.NewBufferString("{")
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	for i, f := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := enc.Encode(f.name); err != nil {
			return nil, err
		}
		b.WriteByte(':')
		if err := enc.Encode(f.value); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}
