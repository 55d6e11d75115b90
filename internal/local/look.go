package local

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fanout-dev/fanout/internal/kernel"
	"github.com/fanout-dev/fanout/internal/kernel/kernelspec"
	"github.com/fanout-dev/fanout/internal/outcome"
	"github.com/fanout-dev/fanout/internal/unit"
)

// Look checks whether this machine can execute runs: which kernels it has,
// and whether the named one ("" is python3) starts cold and warm.
func Look(ctx context.Context, kernelName, python string, environ []string) []outcome.Finding {
	finder := kernelspec.Finder{Python: python, Env: environ}
	findings := installed(finder)
	spec, err := finder.Find(kernelName)
	findings = append(findings, outcome.Finding{What: "kernel " + nameOr(kernelName, "python3"), Detail: spec.DisplayName, Err: err})
	if err != nil {
		return findings
	}
	cold := coldStart(ctx, spec, environ)
	findings = append(findings, cold)
	if cold.Err == nil {
		findings = append(findings, warmStart(ctx, spec, environ))
	}
	return findings
}

// FindKernel reports whether a kernel of that name is here, and what to do
// when it is not.
func FindKernel(name, python string, environ []string) error {
	_, err := kernelspec.Finder{Python: python, Env: environ}.Find(name)
	return err
}

// IsMissingKernel reports whether err says that no kernel could be found.
func IsMissingKernel(err error) bool {
	var missing *kernelspec.Error
	return errors.As(err, &missing)
}

func nameOr(name, other string) string {
	if name == "" {
		return other
	}
	return name
}

// installed lists the kernels; a broken kernelspec is a finding.
func installed(f kernelspec.Finder) []outcome.Finding {
	specs, err := f.List()
	var out []outcome.Finding
	for _, s := range specs {
		out = append(out, outcome.Finding{What: "found " + s.Name, Detail: s.DisplayName + " in " + nameOr(s.Dir, "the environment")})
	}
	if err != nil {
		out = append(out, outcome.Finding{What: "kernelspecs", Err: err})
	}
	return out
}

func coldStart(ctx context.Context, spec kernelspec.Spec, env []string) outcome.Finding {
	k, err := kernel.Launch(ctx, spec, kernel.Options{Env: env, StartTimeout: time.Minute})
	if err != nil {
		return outcome.Finding{What: "cold start", Err: err}
	}
	defer k.Close(5 * time.Second)
	info := k.Info()
	detail := fmt.Sprintf("%s %s in %s", info.Implementation, info.ImplementationVersion, unit.Duration(k.StartTook()))
	if transport, why := k.Transport(); why != "" {
		detail += fmt.Sprintf(", over %s because %s", transport, why)
	}
	return outcome.Finding{What: "cold start", Detail: detail}
}

// warmStart checks whether kernels of this kind can be forked. If they cannot,
// that is not a fault: runs then start cold.
func warmStart(ctx context.Context, spec kernelspec.Spec, env []string) outcome.Finding {
	s, err := kernel.Serve(ctx, spec, kernel.ServerOptions{Env: env})
	if err != nil {
		return outcome.Finding{What: "warm start", Detail: "not possible, runs start cold: " + unit.Line(err.Error())}
	}
	defer s.Close()
	k, err := s.Launch(ctx, kernel.Options{Env: env})
	if err != nil {
		return outcome.Finding{What: "warm start", Detail: "not possible, runs start cold: " + unit.Line(err.Error())}
	}
	defer k.Close(5 * time.Second)
	detail := "in " + unit.Duration(k.StartTook())
	if transport, why := k.Transport(); why != "" {
		detail += fmt.Sprintf(", over %s because %s", transport, why)
	}
	return outcome.Finding{What: "warm start", Detail: detail}
}
