package local

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// credentials are for fanout and its cluster, not for notebooks.
var credentials = []string{"NOMAD_TOKEN", "NOMAD_HTTP_AUTH", "NOMAD_CLIENT_KEY", "VAULT_TOKEN", "CONSUL_HTTP_TOKEN", "CONSUL_HTTP_AUTH"}

// shared are credentials that a report may need to read the sweep's bucket, too.
var shared = []string{"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}

// pools are the variables that size the thread pools of numerical libraries: by
// default each run would use every core.
var pools = []string{"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"}

// baseEnv is the environment that all kernels of a sweep share: environ without
// variables of fanout's own, the variables of the sweep, and thread pools that
// share the cores.
func baseEnv(environ, own []string, cores, jobs int) []string {
	var env []string
	for _, kv := range environ {
		name, _, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(name, "FANOUT_") || slices.Contains(credentials, name) {
			continue
		}
		env = append(env, kv)
	}
	env = override(env, own)
	for _, name := range pools {
		if _, set := lookup(env, name); !set {
			env = append(env, fmt.Sprintf("%s=%d", name, max(1, cores/max(1, jobs))))
		}
	}
	return env
}

// plainFrames asks templates/fanout_glue.py for frames without compression, in whose
// bytes a mask finds secrets.
const plainFrames = "FANOUT_PLAIN_FRAMES=1"

// runEnv adds the variables that identify the attempt.
func runEnv(base []string, run string, attempt int, asOf time.Time, out string) []string {
	return override(base, []string{
		"FANOUT_RUN_ID=" + run, fmt.Sprintf("FANOUT_ATTEMPT=%d", attempt),
		"FANOUT_AS_OF=" + asOf.UTC().Format(time.RFC3339), "FANOUT_OUTPUT_DIR=" + out,
	})
}

// override returns env with set instead of variables of the same names.
func override(env, set []string) []string {
	out := make([]string, 0, len(env)+len(set))
	for _, kv := range env {
		name, _, _ := strings.Cut(kv, "=")
		if _, over := lookup(set, name); !over {
			out = append(out, kv)
		}
	}
	return append(out, set...)
}

// lookup finds the last value of a variable.
func lookup(env []string, name string) (string, bool) {
	for _, kv := range slices.Backward(env) {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			return v, true
		}
	}
	return "", false
}
