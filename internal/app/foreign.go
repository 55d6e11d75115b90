package app

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/fanout-dev/fanout/internal/lease"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/sweep"
	"github.com/fanout-dev/fanout/internal/unit"
)

// warnForeign says what executing a sweep starts, when another user made it.
func (a *App) warnForeign(ctx context.Context, s *sweep.Sweep) {
	if maker := otherMaker(ctx, s); maker != "" {
		a.Warn(fmt.Sprintf("%s was made by %s: this executes %s", unit.Line(unit.Path(s.Where())), maker, unit.All(starts(s))))
	}
}

// WarnFiring says that a firing executes a sweep file that is kept in the sweep, when
// another user made that.
func (a *App) WarnFiring(ctx context.Context, st store.Store, spec string) {
	if maker := otherOwner(st.String(), lease.First(ctx, st)); maker != "" {
		a.Warn(fmt.Sprintf("%s was made by %s: this executes %s, which is kept in it, with the code, the interpreter, the commands and the settings that it names",
			unit.Line(unit.Path(st.String())), maker, unit.Line(spec)))
	}
}

// otherMaker names the user who made a sweep, if that is not this one.
func otherMaker(ctx context.Context, s *sweep.Sweep) string {
	return otherOwner(s.Where(), s.Maker(ctx))
}

// otherOwner names a user other than this one: by what a sweep says of its maker, which
// can be forged, and by whose its folder is, which cannot.
func otherOwner(where string, maker lease.Holder) string {
	if maker.User != "" && maker.User != lease.Me().User {
		return unit.Line(fmt.Sprintf("user %s on %s", maker.User, maker.Host))
	}
	if store.IsURL(where) {
		return ""
	}
	info, err := os.Stat(where)
	if err != nil {
		return ""
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		return fmt.Sprintf("user %d", st.Uid)
	}
	return ""
}

// starts lists what the runs of a sweep, its report and its notices start, and where
// pages of it are written.
func starts(s *sweep.Sweep) []string {
	head, _ := s.Head()
	spec := s.Spec()
	var code []string
	for _, path := range head.Notebooks() {
		code = append(code, unit.Line(path))
	}
	if spec.Report != nil && spec.Report.Template != "" {
		code = append(code, unit.Line(s.Resolve(spec.Report.Template)))
	}
	with := "its kernel"
	switch r := head.Recipe; {
	case r.Python != "":
		with = unit.Line(s.Resolve(r.Python))
	case r.Kernel != "":
		with = "the kernel " + unit.Line(r.Kernel)
	}
	out := []string{fmt.Sprintf("the code of %s with %s", unit.List(code), with)}
	for _, n := range spec.Notify {
		if len(n.Command) > 0 {
			out = append(out, "the command "+unit.Line(strings.Join(n.Command, " ")))
		}
	}
	if spec.Publish != nil {
		out = append(out, "the writing of pages to "+unit.Line(spec.Publish.To))
	}
	return out
}
