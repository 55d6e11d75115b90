package process

import (
	"os"
	"os/exec"
	"testing"
)

func TestDead(t *testing.T) {
	me := This()
	if me.Boot == "" || me.Space == "" || me.Start == "" || me.PID != os.Getpid() {
		t.Fatalf("this process is %+v", me)
	}
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	dead := me
	dead.PID, dead.Start = cmd.Process.Pid, StartOf(cmd.Process.Pid)
	if dead.Start == "" || dead.DeadFor(me) {
		t.Errorf("the process %+v is dead before it ends", dead)
	}
	cmd.Process.Kill()
	cmd.Wait()
	if !dead.DeadFor(me) {
		t.Error("a process that has ended lives")
	}
	elsewhere, reborn := dead, me
	elsewhere.Space = "pid:[1]"
	reborn.Start = "1"
	if me.DeadFor(me) || elsewhere.DeadFor(me) {
		t.Error("a process that may live is dead")
	}
	if !reborn.DeadFor(me) {
		t.Error("a number that another process has is not told apart")
	}
}
