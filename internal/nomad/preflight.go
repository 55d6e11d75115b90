package nomad

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/nomad/api"

	"github.com/fanout-dev/fanout/internal/nomad/internal/rights"
	"github.com/fanout-dev/fanout/internal/unit"
)

// variable looks for what env_from names. missing says that there is none; a token
// that may not look finds neither.
func (e *Executor) variable(ctx context.Context, p place) (items map[string]string, missing string) {
	if e.o.EnvFrom == "" {
		return nil, ""
	}
	var v *api.Variable
	err := e.call(ctx, p, func(ctx context.Context) (err error) {
		v, _, err = e.client.Variables().Peek(e.o.EnvFrom, p.query(ctx))
		return err
	})
	switch {
	case err != nil:
		return nil, ""
	case v == nil:
		where := ""
		if p != (place{}) {
			where = " in " + p.String()
		}
		return nil, fmt.Sprintf("env_from: there is no Nomad variable %s%s, and allocations wait until there is: nomad var put %s NAME=VALUE", e.o.EnvFrom, where, e.o.EnvFrom)
	}
	return v.Items, ""
}

// Warnings are what every firing of a schedule would die of, as far as it shows
// from here: a variable that does not exist, and a token that is missing or may
// not do what a firing does.
func (s *Schedules) Warnings(ctx context.Context) []string {
	items, missing := s.variable(ctx, s.place)
	if missing != "" {
		return []string{missing}
	}
	_, err := s.client.Raw().Query("/v1/acl/token/self", &struct{}{}, s.place.query(ctx)) // its own type fails at null
	if err != nil && strings.Contains(err.Error(), "ACL support disabled") {
		return nil
	}
	token := items["NOMAD_TOKEN"]
	switch {
	case token != "":
		if lacks := rights.Lacks(ctx, token, s.place.region, s.place.namespace); len(lacks) > 0 {
			return []string{fmt.Sprintf("the NOMAD_TOKEN in %s lacks %s: firings cannot run the sweep", s.o.EnvFrom, unit.All(lacks))}
		}
	case s.o.Job == nil && (s.o.EnvFrom == "" || items != nil):
		return []string{"the cluster has ACLs, and a firing has no NOMAD_TOKEN unless the agent's environment has one: put it into a Nomad variable, and name that with nomad: {env_from: VARIABLE}"}
	}
	return nil
}
