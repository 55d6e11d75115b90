// Package settings reads the defaults that users change for a machine or a
// project: from flags, from FANOUT_<KEY> and from fanout.yaml, in this order.
package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"github.com/fanout-dev/fanout/internal/unit"
	"github.com/fanout-dev/fanout/internal/value"
)

// A Setting is one of the defaults.
type Setting struct {
	Key     string // in fanout.yaml
	Flag    string // empty when no flag sets it
	Default any
	About   string
}

// List lists every setting. places are the words for where runs can execute.
func List(places string) []Setting {
	return []Setting{
		{"jobs", "jobs", runtime.GOMAXPROCS(0), "runs at once"},
		{"machine_jobs", "", 0, "runs at once of all your sweeps on this machine; 0: each sweep has its own jobs"},
		{"weight", "", 1.0, "how large a part of machine_jobs the sweep gets beside others"},
		{"on", "on", "local", "where runs execute: " + places},
		{"retries", "retries", -1, "further attempts at a run that failed; -1: the sweep file's"},
		{"timeout", "timeout", "", "limit for one run, such as 30m or 300% of the median"},
		{"grace", "", "10s", "how long a run may take to stop when asked to"},
		{"warm", "warm", "auto", "fork kernels from a warm server: auto, zmq or off"},
		{"canary", "", true, "one run must get past its first cells before the others start"},
		{"progress", "", true, "show progress"},
		{"refresh", "", "30s", "how often the tables are written while runs execute; 0: only at the end"},
		{"log_output", "log-output", "off", "what the cells print: text, as `run: text`; with all that goes on: json, json:FILE, syslog or journald"},
		{"output_cap", "", "64MB", "how much output of one cell is kept; the rest is cut, with a mark"},
		{"python", "python", "", "virtual environment or interpreter, instead of the sweep file's"},
		{"metrics", "metrics", "", "numbers for Prometheus: an address, or a file that ends in .prom"},
		{"jupyter_path", "", "", "additional folders to look for kernelspecs in"},
	}
}

// Settings are the values that one invocation has.
type Settings struct {
	*viper.Viper
	file string
}

// Read merges flags > environment > file > defaults. What a user wrote wrongly
// is a mistake.
func Read(flags *pflag.FlagSet) (*Settings, error) {
	v := viper.New()
	for _, s := range List("") {
		v.SetDefault(s.Key, s.Default)
		if err := v.BindEnv(s.Key, Variable(s.Key)); err != nil {
			return nil, err
		}
		if f := flags.Lookup(s.Flag); s.Flag != "" && f != nil {
			if err := v.BindPFlag(s.Key, f); err != nil {
				return nil, err
			}
		}
	}
	file, err := findFile(flags)
	if err != nil || file == "" {
		return &Settings{v, ""}, err
	}
	v.SetConfigFile(file)
	if err := v.ReadInConfig(); err != nil {
		return nil, unit.Mistake(fmt.Errorf("read settings %s: %w", file, err))
	}
	return &Settings{v, file}, checkKeys(v, file)
}

// Variable is the environment variable of a setting.
func Variable(key string) string {
	return "FANOUT_" + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(key))
}

// findFile finds fanout.yaml; it may be missing unless the user named one.
func findFile(flags *pflag.FlagSet) (string, error) {
	if named, _ := flags.GetString("config"); named != "" {
		if _, err := os.Stat(named); err != nil {
			return "", unit.Mistake(fmt.Errorf("read settings: %w", err))
		}
		return named, nil
	}
	places := []string{"fanout.yaml"}
	if home, err := os.UserConfigDir(); err == nil {
		places = append(places, filepath.Join(home, "fanout", "fanout.yaml"))
	}
	for _, p := range places {
		if _, err := os.Stat(p); err == nil {
			return p, nil
		} else if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return "", fmt.Errorf("read settings: %w", err)
		} // a folder of somebody else's, where a cluster runs us with his HOME
	}
	return "", nil
}

// openSections are maps of the settings file whose keys users choose.
var openSections = []string{"nomad.", "classes."}

func checkKeys(v *viper.Viper, file string) error {
	var unknown []string
	for _, key := range v.AllKeys() {
		if !isKnown(key) {
			unknown = append(unknown, key)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	sort.Strings(unknown)
	return unit.Mistake(unit.WithHint(fmt.Errorf("read settings %s: unknown key %q", file, unknown[0]), "`fanout config` lists every key"))
}

func isKnown(key string) bool {
	for _, s := range List("") {
		if s.Key == key {
			return true
		}
	}
	for _, open := range openSections {
		if strings.HasPrefix(key, open) {
			return true
		}
	}
	return false
}

// Nomad is the section of that name, overridden by the sweep's workload class,
// then by the sweep file.
func (s *Settings) Nomad(own []value.Binding) (*viper.Viper, error) {
	v := viper.New()
	v.MergeConfigMap(s.GetStringMap("nomad"))
	for _, b := range own {
		v.Set(b.Name, b.Value.Any()) // over all that is merged
	}
	name := v.GetString("class")
	if name == "" {
		if v.IsSet("class_parallel") {
			return nil, unit.WithHint(errors.New("nomad: class_parallel: it bounds the allocations of a workload class, and no class is named"), "add class: NAME")
		}
		return v, nil
	}
	class := s.GetStringMap("classes." + name)
	if len(class) == 0 {
		return nil, unit.WithHint(fmt.Errorf("workload class %q is not known", name), "fanout.yaml defines them: classes: {%s: {priority: 50, node_pool: default}}", name)
	}
	for key := range class {
		if !slices.Contains(classKeys, key) {
			return nil, unit.WithHint(fmt.Errorf("classes.%s: unknown key %q", name, key), "a workload class has %s", strings.Join(classKeys, ", "))
		}
	}
	return v, v.MergeConfigMap(class)
}

// classKeys are what a workload class decides.
var classKeys = []string{"priority", "namespace", "node_pool", "max_parallel", "class_parallel"}

// Count reads a number from 1.
func Count(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%q: want a number of at least 1", text)
	}
	return n, nil
}

// Origin is where a setting's value comes from.
func (s *Settings) Origin(k Setting, flags *pflag.FlagSet) string {
	if f := flags.Lookup(k.Flag); k.Flag != "" && f != nil && f.Changed {
		return "flag --" + k.Flag
	}
	if _, ok := os.LookupEnv(Variable(k.Key)); ok {
		return "environment " + Variable(k.Key)
	}
	if s.file != "" && s.InConfig(k.Key) {
		return s.file
	}
	return "default"
}

// Changed are the settings that are not the defaults, except where runs execute.
func (s *Settings) Changed(flags *pflag.FlagSet) map[string]string {
	changed := map[string]string{}
	for _, k := range List("") {
		if k.Key != "on" && s.Origin(k, flags) != "default" {
			changed[k.Key] = s.GetString(k.Key)
		}
	}
	return changed
}

// Give sets what Changed returned elsewhere; other keys are left out.
func (s *Settings) Give(changed map[string]string) {
	for _, k := range List("") {
		if text, ok := changed[k.Key]; ok && k.Key != "on" {
			s.Set(k.Key, text)
		}
	}
}

// Take reads the settings of a file over those of the user's, if there is one.
func (s *Settings) Take(file string) error {
	if _, err := os.Stat(file); err != nil {
		return nil
	}
	s.SetConfigFile(file)
	return s.MergeInConfig()
}
