package kernel_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fanout-dev/fanout/internal/kernel"
)

func TestPrefixIsSharedByCopies(t *testing.T) {
	dir := t.TempDir()
	ledger := write(t, filepath.Join(dir, "ledger"), "")
	write(t, filepath.Join(dir, "data.txt"), "line 1\nline 2\nline 3\n")
	srv := serve(t, pythonSpec(t), kernel.ServerOptions{Dir: dir, Prefix: []string{
		fmt.Sprintf("open(%q, 'a').write('x')\nrows = list(range(1000)); rows[:3]", ledger),
		"import logging, os\nlogging.warning('to stderr')\nprint('hello')\nf = open('data.txt'); first = f.readline()",
		"class C: pass\ndef double(x): return 2*x\nos.environ['BY_PREFIX'] = '1'",
	}})
	if srv.Refused != "" || len(srv.Prefix) != 3 {
		t.Fatalf("%d cells, refused: %s", len(srv.Prefix), srv.Refused)
	}
	for range 3 {
		own := t.TempDir()
		k := launchWarm(t, srv, kernel.Options{Dir: own, Env: append(os.Environ(), "OWN=1")})
		got := run(t, k, `
import os, pickle, inspect
print(len(rows), f.readline().strip(), double(4), pickle.loads(pickle.dumps(C())).__class__ is C, inspect.getsource(double).strip())
print(os.environ["BY_PREFIX"], os.environ["OWN"], os.getcwd(), In[1][:4], len(Out[1]))
rows.append(1)
logging.warning("from the child")`)
		want := fmt.Sprintf("1000 line 2 8 True def double(x): return 2*x\n1 1 %s open 3", own)
		if d := cmp.Diff(want, got.output()); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		if !strings.Contains(got.text(), "stderr WARNING:root:from the child") {
			t.Errorf("messages:\n%s", got.text())
		}
		if got.reply.ExecutionCount != 4 || len(k.Prefix()) != 3 {
			t.Errorf("execution count %d, %d cells of the prefix", got.reply.ExecutionCount, len(k.Prefix()))
		}
		if x := k.Close(5 * time.Second); x.Code != 0 || x.Signal != "" {
			t.Errorf("exit %v", x)
		}
	}
	if b, _ := os.ReadFile(ledger); string(b) != "x" {
		t.Errorf("the prefix ran %d times", len(b))
	}
}

// What cells put out must not depend on where they were executed.
func TestPrefixOutputEqualsCold(t *testing.T) {
	cells := []string{
		"1+1",
		"print('a'); import sys; print('b', file=sys.stderr); print('c')",
		"x = 5; x",
		"from IPython.display import display, HTML, clear_output, Markdown\nh = display(HTML('<b>1</b>'), display_id='d'); print('between'); display(Markdown('*m*'))",
		"h.update(HTML('<b>2</b>')); clear_output(wait=True)",
		"%%capture cap\nprint('hidden')",
		"print(cap.stdout)",
		"!echo from a shell; exit 3",
		"_exit_code",
		"%%bash\necho out\necho err >&2",
		"import os; code = os.system('echo system')",
		"import warnings; warnings.warn('careful')",
		"%who_ls",
		"?print",
		"import pandas as pd; pd.DataFrame({'a': [1, 2]})",
		"import logging; logging.getLogger().error('logged')",
		"print('x' * 100000)",
		"%precision 3\n3.14159",
		"_, __, _1, len(In)",
		"for i in range(3): print(i, end=' ')",
		"'é\\u2028\\U0001f600'",
		"import asyncio; asyncio.get_running_loop().is_running()",
		"print('\\r50%\\r100%')",
	}
	spec := pythonSpec(t)
	srv := serve(t, spec, kernel.ServerOptions{Prefix: cells})
	if srv.Refused != "" {
		t.Fatal(srv.Refused)
	}
	cold := launch(t, spec, kernel.Options{})
	for i, code := range cells {
		var want messages
		r, err := cold.Execute(t.Context(), code, kernel.ExecuteOptions{}, want.add)
		if err != nil {
			t.Fatal(err)
		}
		var got messages
		for _, m := range srv.Prefix[i].Messages {
			got.add(m)
		}
		if d := cmp.Diff(want.list, got.list); d != "" {
			t.Errorf("%s\n(-cold +prefix):\n%s", code, d)
		}
		p := srv.Prefix[i].Reply
		if r.Status != p.Status || r.ExecutionCount != p.ExecutionCount {
			t.Errorf("%s: reply %s %d, want %s %d", code, p.Status, p.ExecutionCount, r.Status, r.ExecutionCount)
		}
	}
}

// Libraries must work in the children as they did in the prefix.
func TestPrefixThenTheSameInChildren(t *testing.T) {
	for _, code := range []string{
		"%%bash\necho from bash",
		"import numpy as np; m = np.linalg.inv(np.eye(400) + 1); print(m.shape, np.linalg.svd(m)[1].shape)",
		"import pandas as pd; print(pd.DataFrame({'a': list('abc') * 1000}).groupby('a').size().tolist())",
		"import io, pandas as pd; b = io.BytesIO(); pd.DataFrame({'a': range(9)}).to_csv(b); print(len(b.getvalue()))",
		"import pandas as pd; pd.DataFrame({'a': range(100000), 'b': ['x'] * 100000}).to_parquet('t.parquet'); d = pd.read_parquet('t.parquet'); print(len(d), d.b.str.upper().unique())",
		"import subprocess; print(subprocess.run(['echo', 'x'], capture_output=True, text=True).stdout)",
		"from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(2) as e: print(list(e.map(abs, [-1, -2])))",
		"from IPython.display import display; h = display('x', display_id='one'); h.update('y')",
		"from functools import lru_cache\n@lru_cache\ndef slow(x): print('slow'); return x\nprint(slow(1))",
	} {
		t.Run(code, func(t *testing.T) {
			srv := serve(t, pythonSpec(t), kernel.ServerOptions{Dir: t.TempDir(), Prefix: []string{code}})
			if srv.Refused != "" {
				t.Fatal(srv.Refused)
			}
			var want messages
			for _, m := range srv.Prefix[0].Messages {
				want.add(m)
			}
			for range 2 {
				k := launchWarm(t, srv, kernel.Options{Dir: t.TempDir()})
				var got messages
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				if r, err := k.Execute(ctx, code, kernel.ExecuteOptions{}, got.add); err != nil || r.Status != "ok" {
					t.Fatalf("%v, %+v", err, r)
				}
				if d := cmp.Diff(want.list, got.list); d != "" {
					t.Errorf("(-prefix +child):\n%s", d)
				}
				if x := k.Close(5 * time.Second); x.Code != 0 || x.Signal != "" {
					t.Errorf("exit %v", x)
				}
			}
		})
	}
}

func TestPrefixEndsWhereSharingIsUnsafe(t *testing.T) {
	spec := pythonSpec(t)
	dir := t.TempDir()
	for _, tt := range []struct{ code, want string }{
		{"import subprocess; p = subprocess.Popen(['sleep', '100'])", "a child process"},
		{"import multiprocessing as mp; p = mp.get_context('fork').Pool(1); p.map(abs, [-1]); p.close(); p.join()", "pipe"},
		{"import numpy as np; from sklearn.cluster import KMeans; KMeans(2).fit(np.random.rand(100, 2))", "a thread"},
		{"import socket; s = socket.socket()", "a socket"},
		{"f = open('out.txt', 'w')", "out.txt open for writing"},
		{"import os; r, w = os.pipe()", "pipe"},
		{"import threading, time; threading.Thread(target=time.sleep, args=(100,), daemon=True).start()", "a thread"},
		{"from concurrent.futures import ThreadPoolExecutor; e = ThreadPoolExecutor(1); e.submit(int).result()", "a thread"},
		{"import tempfile; d = tempfile.TemporaryDirectory()", "a temporary directory"},
		{"import asyncio; task = asyncio.get_running_loop().create_task(asyncio.sleep(100))", "an asyncio task"},
		{"import asyncio; await asyncio.sleep(0)", "awaits"},
		{"import ipywidgets as w; o = w.Output()\nwith o: print(1)", "an Output widget takes its output"},
		{"1/0", "it raised ZeroDivisionError"},
		{"input('?')", "it raised StdinNotImplementedError"},
		{"exit", "ends the kernel"},
		{"import os; os._exit(3)", "the server has ended"},
		{"import time; time.sleep(100)", "deadline"},
		{"import numpy as np; m = np.memmap('m.dat', mode='w+', shape=10)", "m.dat open for writing"},
	} {
		t.Run(tt.code, func(t *testing.T) {
			t.Parallel()
			limit := time.Minute
			if tt.want == "deadline" {
				limit = 3 * time.Second
			}
			srv := serve(t, spec, kernel.ServerOptions{Dir: dir, Prefix: []string{"before = 1", tt.code, "after = 1"}, PrefixTimeout: limit})
			if len(srv.Prefix) != 1 || !strings.HasPrefix(srv.Refused, "cell 2 of the prefix is not shared: ") || !strings.Contains(srv.Refused, tt.want) {
				t.Errorf("%d cells shared, refused: %q", len(srv.Prefix), srv.Refused)
			}
			k := launchWarm(t, srv, kernel.Options{Dir: dir})
			if got := run(t, k, "print(before, 'after' in globals())"); got.output() != "1 False" {
				t.Errorf("output %q", got.output())
			}
		})
	}
}

func TestPrefixRandomness(t *testing.T) {
	spec := pythonSpec(t)
	draw := "print(random.random(), np.random.rand())"
	for _, tt := range []struct {
		name, prefix string
		same         bool
	}{
		{"nobody seeds", "import random, numpy as np", false},
		{"drawn from without a seed", "import random, numpy as np; random.random(); np.random.rand()", false},
		{"seeded", "import random, numpy as np; random.seed(42); np.random.seed(42)", true},
		{"seeded and drawn from", "import random, numpy as np; random.seed(42); np.random.seed(42); random.random(); np.random.rand()", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := serve(t, spec, kernel.ServerOptions{Prefix: []string{tt.prefix}})
			if srv.Refused != "" {
				t.Fatal(srv.Refused)
			}
			var drawn []string
			for range 2 {
				k := launchWarm(t, srv, kernel.Options{})
				drawn = append(drawn, run(t, k, draw).output())
				k.Close(5 * time.Second)
			}
			if !tt.same {
				a, b := strings.Fields(drawn[0]), strings.Fields(drawn[1])
				if len(a) != 2 || a[0] == b[0] || a[1] == b[1] {
					t.Errorf("runs share their noise: %q", drawn)
				}
				return
			}
			k := launch(t, spec, kernel.Options{})
			run(t, k, tt.prefix)
			if want := run(t, k, draw).output(); want == "" || drawn[0] != want || drawn[1] != want {
				t.Errorf("drawn %q, a cold kernel draws %q", drawn, want)
			}
		})
	}
}

func write(t testing.TB, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}
