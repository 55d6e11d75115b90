package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/fanout-dev/fanout/internal/kernel"
	"github.com/fanout-dev/fanout/internal/store"
	"github.com/fanout-dev/fanout/internal/unit"
)

func (c *cli) doctorCommand() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "doctor [DIR]",
		Short: "Check that kernels can be found and started, and DIR written",
		Long: `Doctor finds out whether runs could be made, and says of what is missing how to
get it: kernels that start here and DIR, where sweeps are to be kept. With
--on nomad it looks at the cluster too, sends a worker to a client and lets it
look there.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			switch on := c.settings.GetString("on"); on {
			case "", "local":
				return c.doctor(cmd.Context(), name, dir)
			case "nomad":
				return c.doctorOnNomad(cmd.Context(), name, dir)
			default:
				return unknownPlace(on)
			}
		},
	}
	cmd.Flags().String("on", "local", "where runs are to be made: local or nomad")
	cmd.Flags().String("python", "", "virtual environment or interpreter to look in")
	cmd.Flags().StringVarP(&name, "kernel", "k", "", "kernel to start (default: python3)")
	return cmd
}

// finding is one line of doctor: ok, or what to do.
type finding struct {
	what, detail string
	err          error
}

func (c *cli) doctor(ctx context.Context, name, dir string) error {
	where := writeFinding
	if store.IsURL(dir) {
		where = func(dir string) finding { return c.storeFinding(ctx, dir) }
	}
	return c.printFindings(append(c.here(ctx, name), where(dir)))
}

// here is what this machine has.
func (c *cli) here(ctx context.Context, name string) []finding {
	finder := kernel.Finder{Python: c.settings.GetString("python"), Env: c.kernelEnv()}
	findings := c.kernelFindings(finder)
	spec, err := finder.Find(name)
	findings = append(findings, finding{what: "kernel " + nameOr(name, "python3"), detail: spec.DisplayName, err: err})
	if err == nil {
		findings = append(findings, startFindings(ctx, spec, c.kernelEnv())...)
	}
	return findings
}

func nameOr(name, other string) string {
	if name == "" {
		return other
	}
	return name
}

// kernelFindings lists what is installed; a broken kernelspec is a finding.
func (c *cli) kernelFindings(f kernel.Finder) []finding {
	specs, err := f.List()
	var out []finding
	for _, s := range specs {
		out = append(out, finding{what: "found " + s.Name, detail: s.DisplayName + " in " + nameOr(s.Dir, "the environment")})
	}
	if err != nil {
		out = append(out, finding{what: "kernelspecs", err: err})
	}
	return out
}

// startFindings starts the kernel cold and, where possible, warm.
func startFindings(ctx context.Context, spec kernel.Spec, env []string) []finding {
	k, err := kernel.Launch(ctx, spec, kernel.Options{Env: env, StartTimeout: time.Minute})
	if err != nil {
		return []finding{{what: "cold start", err: err}}
	}
	info := k.Info()
	detail := fmt.Sprintf("%s %s in %s", info.Implementation, info.ImplementationVersion, short(k.StartTook()))
	if transport, why := k.Transport(); why != "" {
		detail += fmt.Sprintf(", over %s because %s", transport, why)
	}
	k.Close(5 * time.Second)
	return []finding{{what: "cold start", detail: detail}, warmFinding(ctx, spec, env)}
}

// writeFinding tries to make a file where sweeps would be.
func writeFinding(dir string) finding {
	f, err := os.CreateTemp(dir, ".fanout-doctor-*")
	if err != nil {
		return finding{what: "write to " + dir, err: unit.WithHint(err, "give sweeps another place with -o")}
	}
	err = errors.Join(f.Close(), os.Remove(f.Name()))
	return finding{what: "write to " + filepath.Clean(dir), err: err}
}

func (c *cli) printFindings(findings []finding) error {
	bad := 0
	for _, f := range findings {
		if f.err == nil {
			fmt.Fprintf(c.stdout, "ok    %s  %s\n", f.what, f.detail)
			continue
		}
		bad++
		fmt.Fprintf(c.stdout, "no    %s: %s\n", f.what, clean(f.err.Error()))
		if hint := unit.HintOf(f.err); hint != "" {
			fmt.Fprintf(c.stdout, "      %s\n", hint)
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d checks say no", bad, len(findings))
	}
	return nil
}

// warmFinding says whether kernels of this kind can be forked. That they
// cannot is no fault: runs then start cold.
func warmFinding(ctx context.Context, spec kernel.Spec, env []string) finding {
	s, err := kernel.Serve(ctx, spec, kernel.ServerOptions{Env: env})
	if err != nil {
		return finding{what: "warm start", detail: "not possible, runs start cold: " + clean(err.Error())}
	}
	defer s.Close()
	k, err := s.Launch(ctx, kernel.Options{Env: env})
	if err != nil {
		return finding{what: "warm start", detail: "not possible, runs start cold: " + clean(err.Error())}
	}
	defer k.Close(5 * time.Second)
	return finding{what: "warm start", detail: "in " + short(k.StartTook())}
}
