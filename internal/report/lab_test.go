package report

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/fanout-dev/fanout/internal/browsertest"
)

// inLab counts what JupyterLab shows of a notebook: pictures that are there,
// tables, whatever looks like a complaint, and code.
const inLab = `(() => {
  const pictures = [...document.querySelectorAll(".jp-RenderedMarkdown img")];
  return [pictures.filter(i => i.naturalWidth > 0 && i.alt).length, pictures.length,
    document.querySelectorAll(".jp-RenderedMarkdown table").length, document.querySelectorAll(".jp-Dialog, .jp-RenderedMarkdown .jp-mod-error").length,
    document.querySelectorAll(".jp-CodeCell .cm-content").length];
})()`

// JupyterLab opens the summary as it was written: every picture is shown from
// its attachment, every table is one, and no dialog asks anything.
func TestInJupyterLab(t *testing.T) {
	python := labPython(t)
	browser := browsertest.Chromium(t)
	dir := t.TempDir()
	in := wide(t, []string{"a", "b", hostile}, []string{"apac", "emea", "漢字"}, 40, func(v, r, d int) bool { return d == 7 })
	n := mustNotebook(t, in)
	if err := os.WriteFile(filepath.Join(dir, "summary.ipynb"), n.Encode(), 0o666); err != nil {
		t.Fatal(err)
	}
	pictures, tables, code := 0, 0, 0
	for _, c := range n.Cells {
		if c.Type == "code" {
			code++
		}
		pictures += len(c.Attachments)
		tables += strings.Count(c.Source, "\n|:---")
	}
	if pictures < 3 || tables < 3 {
		t.Fatalf("the notebook has %d pictures and %d tables: too few to see much", pictures, tables)
	}
	at := startLab(t, python, dir)
	tab, end := chromedp.NewContext(browser)
	defer end()
	tab, cancel := context.WithTimeout(tab, time.Minute)
	defer cancel()
	// As high as the notebook: JupyterLab renders what is in sight.
	if err := chromedp.Do(tab, sized(1200, 12_000), chromedp.Navigate(at+"/lab/tree/summary.ipynb?reset")); err != nil {
		t.Fatal(err)
	}
	want := []int{pictures, pictures, tables, 0, code}
	var got []int
	for tab.Err() == nil {
		if got = evaluate[[]int](t, tab, inLab); fmt.Sprint(got) == fmt.Sprint(want) {
			keepPicture(t, tab, "lab.png")
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	t.Errorf("JupyterLab shows %v, want %v: pictures, image elements, tables, complaints, code cells", got, want)
}

// labPython is an interpreter that has JupyterLab.
func labPython(t *testing.T) string {
	t.Helper()
	python := os.Getenv("FANOUT_TEST_PYTHON")
	err := errors.New("FANOUT_TEST_PYTHON names no interpreter")
	if python != "" {
		err = exec.Command(python, "-c", "import jupyterlab").Run()
	}
	if err == nil {
		return python
	}
	if strings.Contains(os.Getenv("FANOUT_TEST_REQUIRE"), "ipykernel") {
		t.Fatalf("JupyterLab: %v", err)
	}
	t.Skipf("JupyterLab: %v", err)
	return ""
}

// startLab serves a folder, on this machine alone and without the user's
// settings, and returns where. The server ends with the test.
func startLab(t *testing.T, python, dir string) string {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).Port
	free.Close()
	home := t.TempDir()
	cmd := exec.Command(python, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", fmt.Sprintf("--port=%d", port),
		"--ServerApp.port_retries=0", "--IdentityProvider.token=", "--ServerApp.root_dir="+dir,
		"--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate")
	cmd.Env = append(os.Environ(), "HOME="+home, "JUPYTER_CONFIG_DIR="+home, "JUPYTER_DATA_DIR="+home, "JUPYTER_RUNTIME_DIR="+home, "IPYTHONDIR="+home)
	var words strings.Builder
	cmd.Stdout, cmd.Stderr = &words, &words
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM) // it ends its kernels
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			<-ended
		}
		if t.Failed() {
			t.Log(words.String())
		}
	})
	at := fmt.Sprintf("http://127.0.0.1:%d", port)
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("JupyterLab ended: %v", err)
		default:
		}
		if r, err := http.Get(at + "/api"); err == nil {
			r.Body.Close()
			return at
		}
	}
	t.Fatal("JupyterLab does not answer")
	return ""
}

func sized(width, height int64) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1})
		return err
	})
}
