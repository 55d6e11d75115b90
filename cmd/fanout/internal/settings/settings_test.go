package settings

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/pflag"

	"github.com/fanout-dev/fanout/internal/value"
)

// TestClass: what a sweep file says of Nomad wins over its workload class, and
// the class over the rest of the settings.
func TestClass(t *testing.T) {
	file := filepath.Join(t.TempDir(), "fanout.yaml")
	text := "nomad: {priority: 10, namespace: day, node_pool: small, class: night}\nclasses: {night: {priority: 20, namespace: night, class_parallel: 4}}\n"
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.String("config", file, "")
	s, err := Read(flags)
	if err != nil {
		t.Fatal(err)
	}
	own, _ := value.Of("sweep")
	v, err := s.Nomad([]value.Binding{{Name: "namespace", Value: own}})
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"priority": "20", "namespace": "sweep", "node_pool": "small", "class_parallel": "4"} {
		if got := v.GetString(key); got != want {
			t.Errorf("%s is %s, want %s", key, got, want)
		}
	}
	none, _ := value.Of("")
	four, _ := value.Of(4)
	if _, err := s.Nomad([]value.Binding{{Name: "class", Value: none}, {Name: "class_parallel", Value: four}}); err == nil {
		t.Error("a bound of no class is one")
	}
}
