// Package about says in the metadata of jobs what they are of, so that Nomad's pages and
// API can be searched by it.
package about

import (
	"strconv"
	"strings"

	"github.com/hashicorp/nomad/api"

	"github.com/fanout-dev/fanout/internal/lease"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Keys of metadata. That of the class is quota's.
const (
	Where = "fanout_sweep" // the place of the sweep that a job belongs to
	Shard = "shard"

	user, name, templates = "fanout_user", "fanout_name", "fanout_templates"

	runs  = "fanout_runs"  // ids of the first runs of a shard
	names = "fanout_names" // and their names
	count = "fanout_count" // of all of them
)

// Job says of a parameterized job what it is of: the sweep at where, nil for that of the
// doctor.
func Job(job *api.Job, where string, s *sweep.Sweep) {
	job.SetMeta(Where, where).SetMeta(user, lease.Me().User)
	if s != nil {
		head, _ := s.Head()
		job.SetMeta(name, s.Name()).SetMeta(templates, strings.Join(head.Notebooks(), ", "))
	}
	job.ParameterizedJob = &api.ParameterizedJobConfig{Payload: "required", MetaRequired: []string{Shard}, MetaOptional: []string{runs, names, count}}
}

// How many runs of a shard its metadata name, and how long a name may be.
const (
	maxNamed = 8
	maxName  = 120
)

// OfShard says of a shard's job which runs it executes, of which the first are named.
func OfShard(shard sweep.Shard, nameOf func(run string) string) map[string]string {
	meta := map[string]string{Shard: shard.ID}
	if len(shard.Runs) == 0 {
		return meta // of the doctor
	}
	first := shard.Runs[:min(maxNamed, len(shard.Runs))]
	var named []string
	for _, id := range first {
		named = append(named, unit.Cut(unit.Line(nameOf(id)), maxName))
	}
	more := ""
	if n := len(shard.Runs) - len(first); n > 0 {
		more = " and " + strconv.Itoa(n) + " more"
	}
	meta[runs], meta[names], meta[count] = strings.Join(first, " ")+more, strings.Join(named, "; ")+more, strconv.Itoa(len(shard.Runs))
	return meta
}
