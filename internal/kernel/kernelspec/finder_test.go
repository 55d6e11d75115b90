package kernelspec_test

import (
	"github.com/fanout-dev/fanout/internal/kernel/kerneltest"

	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/kernel/kernelspec"
)

func write(t testing.TB, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func specJSON(program string, extra string) string {
	return fmt.Sprintf(`{"argv": [%q, "{connection_file}"], "display_name": "D", "language": "x"%s}`, program, extra)
}

func TestFindOrder(t *testing.T) {
	kernelspec.WithoutSystem(t)
	root := t.TempDir()
	at := func(p ...string) string { return filepath.Join(append([]string{root}, p...)...) }
	for _, d := range []string{"path1", "path2", "home/.local/share/jupyter", "venv/share/jupyter"} {
		write(t, at(d, "kernels", "k-"+filepath.Base(filepath.Dir(at(d, "x"))), "kernel.json"), specJSON("/bin/sh", ""))
	}
	everywhere := []string{"path1", "path2", "venv/share/jupyter", "home/.local/share/jupyter"}
	for i, d := range everywhere {
		for _, name := range []string{"first", fmt.Sprintf("from%d", i)}[:] {
			write(t, at(d, "kernels", name, "kernel.json"), specJSON("/bin/sh", ""))
		}
	}
	write(t, at("venv/bin/python"), "#!/bin/sh\nexit 1\n")
	env := []string{"HOME=" + at("home"), "PATH=/usr/bin:/bin", "JUPYTER_PATH=" + at("path1") + ":" + at("path2")}
	f := kernelspec.Finder{Env: append(env, "VIRTUAL_ENV="+at("venv"))}
	for _, tt := range []struct{ name, want string }{
		{"first", at("path1/kernels/first")},
		{"FIRST", at("path1/kernels/first")},
		{"from1", at("path2/kernels/from1")},
		{"from2", at("venv/share/jupyter/kernels/from2")},
		{"from3", at("home/.local/share/jupyter/kernels/from3")},
	} {
		s, err := f.Find(tt.name)
		if err != nil || s.Dir != tt.want {
			t.Errorf("Find(%q) = %q, %v; want %q", tt.name, s.Dir, err, tt.want)
		}
	}
	// The user's directory comes before everything else when no environment is active.
	os.RemoveAll(at("path1/kernels/first"))
	os.RemoveAll(at("path2/kernels/first"))
	if s, err := f.Find("first"); err != nil || s.Dir != at("venv/share/jupyter/kernels/first") {
		t.Errorf("with an environment: %q, %v", s.Dir, err)
	}
	if s, err := (kernelspec.Finder{Env: env}).Find("first"); err != nil || s.Dir != at("home/.local/share/jupyter/kernels/first") {
		t.Errorf("without an environment: %q, %v", s.Dir, err)
	}
	// A named environment comes first of all.
	if s, err := (kernelspec.Finder{Env: env, Python: at("venv")}).Find("first"); err != nil || s.Dir != at("venv/share/jupyter/kernels/first") {
		t.Errorf("with a named environment: %q, %v", s.Dir, err)
	}
}

func TestFindErrorsHint(t *testing.T) {
	kernelspec.WithoutSystem(t)
	root := t.TempDir()
	kernels := filepath.Join(root, "kernels")
	write(t, filepath.Join(kernels, "broken", "kernel.json"), `{"argv": [`)
	write(t, filepath.Join(kernels, "empty", "kernel.json"), `{"argv": []}`)
	write(t, filepath.Join(kernels, "nofile", "kernel.json"), `{"argv": ["/bin/sh"]}`)
	write(t, filepath.Join(kernels, "gone", "kernel.json"), specJSON("/no/such/program", ""))
	write(t, filepath.Join(kernels, "good", "kernel.json"), specJSON("/bin/sh", ""))
	bare := filepath.Join(root, "bare") // an environment whose Python has no ipykernel
	write(t, filepath.Join(bare, "bin", "python"), "#!/bin/sh\nexit 1\n")
	write(t, filepath.Join(bare, "share/jupyter/kernels/bare/kernel.json"),
		`{"argv": ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"], "language": "python"}`)
	env := []string{"HOME=" + root, "PATH=/nowhere", "JUPYTER_PATH=" + root}
	for _, tt := range []struct{ name, python, want, hint string }{
		{name: "nosuch", want: "there is no kernel of that name", hint: "good"},
		{name: "../etc", want: "not a kernel's name", hint: "fanout doctor"},
		{name: "broken", want: "unexpected end of JSON", hint: "repair or remove"},
		{name: "empty", want: "argv is empty", hint: "repair or remove"},
		{name: "nofile", want: "argv has no {connection_file}", hint: "repair or remove"},
		{name: "gone", want: "/no/such/program", hint: "reinstall the kernel"},
		{name: "bare", python: bare, want: "has no ipykernel", hint: bare + "/bin/python -m pip install ipykernel"},
		{name: "python3", python: bare, want: "has no ipykernel", hint: "-m pip install ipykernel"},
		{name: "python3", python: filepath.Join(root, "none"), want: "no such file", hint: ".venv"},
		{name: "python3", python: kernels, want: "has no bin/python", hint: ".venv"},
		{name: "python3", want: "no Python was found", hint: "--python"},
	} {
		t.Run(tt.name+" "+filepath.Base(tt.python), func(t *testing.T) {
			_, err := kernelspec.Finder{Env: env, Python: tt.python}.Find(tt.name)
			var hinted interface{ Hint() string }
			if err == nil || !errors.As(err, &hinted) {
				t.Fatalf("error %v without a hint", err)
			}
			if !strings.Contains(err.Error(), tt.want) || !strings.Contains(hinted.Hint(), tt.hint) {
				t.Errorf("error %q, hint %q", err, hinted.Hint())
			}
		})
	}
	specs, err := kernelspec.Finder{Env: env}.List()
	var names []string
	for _, s := range specs {
		names = append(names, s.Name)
	}
	if err == nil || strings.Join(names, " ") != "gone good" {
		t.Errorf("List = %v, %v", names, err)
	}
}

func TestFindMakesUpASpecForAnEnvironmentWithoutOne(t *testing.T) {
	venv := t.TempDir()
	py := write(t, filepath.Join(venv, "bin", "python"), "#!/bin/sh\nexit 1\n")
	write(t, filepath.Join(venv, "lib/python3.12/site-packages/ipykernel/__init__.py"), "")
	for _, p := range []string{venv, py} {
		s, err := kernelspec.Finder{Python: p, Env: []string{"HOME=/nowhere"}}.Find("")
		want := []string{py, "-m", "ipykernel_launcher", "-f", "{connection_file}"}
		if d := cmp.Diff(want, s.Argv); err != nil || d != "" {
			t.Errorf("Find in %s: %v\n%s", p, err, d)
		}
	}
}

func TestFindSubstitutes(t *testing.T) {
	venv := t.TempDir()
	py := write(t, filepath.Join(venv, "bin", "python"), "#!/bin/sh\nexit 0\n")
	dir := filepath.Join(venv, "share/jupyter/kernels/k")
	write(t, filepath.Join(dir, "kernel.json"),
		`{"argv": ["python", "{resource_dir}/x", "{connection_file}"], "language": "y", "env": {"A": "${HOME}/a"}, "interrupt_mode": "message"}`)
	s, err := kernelspec.Finder{Python: venv, Env: []string{"HOME=/h"}}.Find("k")
	if err != nil {
		t.Fatal(err)
	}
	want := kernelspec.Spec{Name: "k", Dir: dir, Language: "y", InterruptMode: "message",
		Argv: []string{py, dir + "/x", "{connection_file}"}, Env: map[string]string{"A": "${HOME}/a"}}
	if d := cmp.Diff(want, s); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// The oracle is jupyter_client.
func TestFindAgreesWithJupyter(t *testing.T) {
	py := kerneltest.Python(t)
	root := t.TempDir()
	at := func(p string) string { return filepath.Join(root, p) }
	for _, d := range []string{"p1", "p2", "data"} {
		write(t, at(d+"/kernels/all/kernel.json"), specJSON("/bin/sh", ""))
		write(t, at(d+"/kernels/only-"+d+"/kernel.json"), specJSON("/bin/sh", ""))
		write(t, at(d+"/kernels/nothing/readme"), "")
	}
	prefix := filepath.Dir(filepath.Dir(py))
	env := []string{"HOME=" + root, "PATH=" + prefix + "/bin:/usr/bin:/bin", "JUPYTER_PATH=" + at("p1") + ":" + at("p2"), "JUPYTER_DATA_DIR=" + at("data"), "VIRTUAL_ENV=" + prefix}
	cmd := exec.Command(py, "-c", `
import json, jupyter_client.kernelspec as k
print(json.dumps(k.KernelSpecManager().find_kernel_specs()))`)
	cmd.Env = env
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	if err := json.Unmarshal(out, &want); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	specs, err := kernelspec.Finder{Env: env}.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range specs {
		got[s.Name] = s.Dir
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-jupyter +fanout):\n%s", d)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(specJSON("python", "")))
	f.Add([]byte(`{"argv": [""], "env": {"A": 1}}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := kernelspec.Decode(b)
		if err == nil && (len(s.Argv) == 0 || s.Argv[0] == "" || s.InterruptMode == "") {
			t.Fatalf("accepted %+v", s)
		}
	})
}
