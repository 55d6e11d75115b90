package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fanout-dev/fanout/internal/outcome"
)

// inTwoRegions lays the victim's runs in two regions of the stand-in, half in
// each; those of eu come first.
func inTwoRegions(t *testing.T, runs int) (*victim, []string) {
	t.Helper()
	v, args := onNomad(t, runs)
	v.edit(t, "sweep.yaml", func(text string) string {
		return text + "placement: {region: \"x % 2 == 0 ? 'eu' : 'us'\"}\n"
	})
	return v, args
}

// TestRegionAway starts a sweep while a region is away, and takes a region away
// from one that is under way: the other region's runs are executed meanwhile,
// the view says which is away, and all is well once it is back.
func TestRegionAway(t *testing.T) {
	const runs = 24
	for name, atStart := range map[string]bool{"at the start": true, "mid-sweep": false} {
		t.Run(name, func(t *testing.T) {
			s := fakeCluster(t)
			v, args := inTwoRegions(t, runs)
			v.slow(t, 300*time.Millisecond)
			if atStart {
				s.Away("eu", "rpc error: failed to get conn: dial tcp: connection refused")
			}
			cmd := v.command(args...)
			var out strings.Builder
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			v.awaitLines(t, 6)
			if !atStart {
				s.Away("eu", "No path to region")
			}
			await(t, 60*time.Second, "the runs of the other region", func() bool {
				done := 0
				for _, st := range openVictim(t, v).Runs() {
					if x, _ := st.Run.Params[0].Value.Float(); int(x)%2 == 1 && st.Status == outcome.Succeeded {
						done++
					}
				}
				return done == runs/2
			})
			time.Sleep(3 * time.Second)
			s.Away("eu", "")
			if err := cmd.Wait(); err != nil {
				t.Fatalf("%v\n%s", err, &out)
			}
			if text := out.String(); !strings.Contains(text, "region eu does not answer (Nomad says 500: ") || !strings.Contains(text, "region eu answers again") || strings.Contains(text, "region us") {
				t.Errorf("it says:\n%s", text)
			}
			v.check(t, runs)
		})
	}
}

// TestRegionLost kills the only server of a region while its workers are at work,
// for longer than the others take to forget it, and starts it again: the other
// region goes on, and everything is executed once.
func TestRegionLost(t *testing.T) {
	deep(t)
	us := needAgentIn(t, "us")
	eu := needAgentIn(t, "eu")
	join := func() {
		if out, err := us.run("server", "join", fmt.Sprintf("127.0.0.1:%d", eu.serf)); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	join()
	t.Setenv("NOMAD_ADDR", us.addr)
	const runs = 80
	v, args := inTwoRegions(t, runs)
	v.slow(t, time.Second)
	cmd := v.command(args...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	v.awaitLines(t, 12)
	eu.kill()
	others := func() (done int) {
		for _, st := range openVictim(t, v).Runs() {
			if x, _ := st.Run.Params[0].Value.Float(); int(x)%2 == 1 && st.Status == outcome.Succeeded {
				done++
			}
		}
		return done
	}
	await(t, 2*time.Minute, "the runs of the other region", func() bool { return others() == runs/2 })
	time.Sleep(75 * time.Second)
	eu.start(t)
	join()
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	if text := out.String(); !strings.Contains(text, "region eu does not answer (") || !strings.Contains(text, "region eu answers again") || strings.Contains(text, "region us") {
		t.Errorf("it says:\n%s", text)
	}
	v.check(t, runs)
}

// TestNomadAway takes all of Nomad away for a while: the view says so, and that it
// is back.
func TestNomadAway(t *testing.T) {
	s := fakeCluster(t)
	v, args := onNomad(t, 16)
	v.slow(t, 300*time.Millisecond)
	cmd := v.command(args...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	v.awaitLines(t, 4)
	s.Away("", "No cluster leader")
	time.Sleep(12 * time.Second)
	s.Away("", "")
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	for _, want := range []string{"fanout: Nomad does not answer (Nomad says 500: No cluster leader): its runs wait, for up to 5 min\n", "fanout: Nomad answers again\n"} {
		if strings.Count(out.String(), want) != 1 {
			t.Errorf("%q is not there once:\n%s", want, &out)
		}
	}
	v.check(t, 16)
}
