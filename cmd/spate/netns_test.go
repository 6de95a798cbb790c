//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fullspate/spate/engine/coordinator"
)

// lan is a network of namespaces: one for each process, and one with the bridge that joins them. Nothing of it is in the
// namespace of the test, and it is gone when the test is, however that ends.
//
//	[lan]  bridge ── port0 ── eth0 [0] 10.77.0.1   coordinator, and commands
//	          ├───── port1 ── eth0 [1] 10.77.0.2   a worker
//	          └───── …
type lan struct {
	t      *testing.T
	name   string
	size   int
	faults string // what the network does to packets, in words
}

// lans counts the networks of this process, for their names.
var lans atomic.Int32

// newLAN makes a network for so many processes. It skips the test where that is not permitted.
func newLAN(t *testing.T, size int) *lan {
	t.Helper()
	if _, err := exec.LookPath("ip"); err != nil || os.Geteuid() != 0 {
		t.Skip("network namespaces want root and the command ip")
	}
	l := &lan{t: t, name: fmt.Sprintf("spate-test-%d-%d", os.Getpid(), lans.Add(1)), size: size}
	l.clearUp()
	l.need("ip netns add %s", l.ns("lan"))
	l.need("ip -n %s link add bridge type bridge", l.ns("lan"))
	l.need("ip -n %s link set bridge up", l.ns("lan"))
	for i := range size {
		ns := l.ns(i)
		l.need("ip netns add %s", ns)
		l.need("ip -n %s link add port%d type veth peer name eth0 netns %s", l.ns("lan"), i, ns)
		l.need("ip -n %s link set port%d master bridge up", l.ns("lan"), i)
		l.need("ip -n %s addr add %s/24 dev eth0", ns, l.host(i))
		l.need("ip -n %s link set lo up", ns)
		l.need("ip -n %s link set eth0 up", ns)
	}
	return l
}

func (l *lan) ns(part any) string { return fmt.Sprintf("%s-%v", l.name, part) }

// host is the address of a process, which exists in its namespace only.
func (l *lan) host(process int) string { return fmt.Sprintf("10.77.0.%d", process+1) }

// prefix starts a command in the namespace of a process.
func (l *lan) prefix(process int) []string {
	return []string{"ip", "netns", "exec", l.ns(process)}
}

// clearUp has a shell wait for the end of the test, or of its process, and remove the namespaces with all that is in them.
func (l *lan) clearUp() {
	l.t.Helper()
	const script = `cat >/dev/null; for n; do ip netns pids "$n" 2>/dev/null | xargs -r kill -9; ip netns del "$n" 2>/dev/null; done`
	c := exec.Command("sh", "-c", script, "sh", l.ns("lan"))
	for i := range l.size {
		c.Args = append(c.Args, l.ns(i))
	}
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt is not for it
	test, err := c.StdinPipe()
	if err != nil {
		l.t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		test.Close()
		_ = c.Wait() // with the status of the last command, which may have had nothing to do
		if left, err := l.try("ip netns list"); err != nil || strings.Contains(left, l.name+"-") {
			l.t.Errorf("namespaces are left: %s, %v", left, err)
		}
	})
}

// try runs a command and returns what it prints.
func (l *lan) try(command string) (string, error) {
	words := strings.Fields(command)
	out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// need runs a command without which there is no network, and skips the test where it is not permitted.
func (l *lan) need(format string, args ...any) {
	l.t.Helper()
	command := fmt.Sprintf(format, args...)
	if out, err := l.try(command); err != nil {
		l.t.Skipf("network namespaces are not permitted here: %s: %s", command, out)
	}
}

func (l *lan) do(format string, args ...any) {
	l.t.Helper()
	command := fmt.Sprintf(format, args...)
	if out, err := l.try(command); err != nil {
		l.t.Fatalf("%s: %v: %s", command, err, out)
	}
}

// everywhere runs a command in the namespace of every process. It returns false if the first one cannot.
func (l *lan) everywhere(command string) bool {
	l.t.Helper()
	for i := range l.size {
		if out, err := l.try(strings.Join(l.prefix(i), " ") + " " + command); err != nil {
			if i > 0 {
				l.t.Fatalf("%s in namespace %d: %v: %s", command, i, err, out)
			}
			return false
		}
	}
	return true
}

// disturb has the network delay, reorder and lose packets, as far as this kernel can.
func (l *lan) disturb() {
	l.t.Helper()
	if l.everywhere("tc qdisc add dev eth0 root netem delay 3ms 2ms reorder 25% 50% loss 1%") {
		l.faults = "netem: 3 ± 2 ms, a quarter reordered, 1 % lost"
		return
	}
	var faults []string
	if l.everywhere("tc qdisc add dev eth0 root tbf rate 40mbit burst 32kb latency 40ms") {
		faults = append(faults, "tbf: 40 Mbit/s, up to 40 ms of queue")
	}
	const table = "nft add table inet faults"
	switch {
	case l.everywhere(table) && l.everywhere("nft add chain inet faults in { type filter hook input priority 0 ; }") &&
		l.everywhere("nft add rule inet faults in iif eth0 numgen random mod 100 < 2 counter drop"):
		faults = append(faults, "nft: 2 % lost")
	case l.everywhere("iptables -A INPUT -i eth0 -m statistic --mode random --probability 0.02 -j DROP"):
		faults = append(faults, "iptables: 2 % lost")
	}
	l.faults = strings.Join(faults, "; ")
}

// cut takes a process off the network for a while.
func (l *lan) cut(process int, d time.Duration) {
	l.t.Helper()
	l.do("ip -n %s link set port%d down", l.ns("lan"), process)
	time.Sleep(d)
	l.do("ip -n %s link set port%d up", l.ns("lan"), process)
}

// retransmitted is how many segments have been sent again in a namespace: what the faults have come to.
func (l *lan) retransmitted(process int) (n int) {
	l.t.Helper()
	out, err := l.try(strings.Join(l.prefix(process), " ") + " cat /proc/net/snmp")
	if err != nil {
		l.t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if fields[0] != "Tcp:" {
			continue
		}
		if names == nil {
			names = fields
			continue
		}
		for i, name := range names {
			if name == "RetransSegs" {
				if n, err = strconv.Atoi(fields[i]); err != nil {
					l.t.Fatal(err)
				}
			}
		}
	}
	return n
}

// TestNetworkNamespaces: workers on a network of their own, which delays, reorders and loses packets, and from which one of
// them is taken off for a while. The answers are the same.
func TestNetworkNamespaces(t *testing.T) {
	t.Parallel()
	l := newLAN(t, 4)
	slowly, quickly := early(t, "300"), dense(t, "--hostile")
	wantSlowly, wantQuickly := embeddedAnswers(t, slowly), embeddedAnswers(t, quickly)
	f := newFleet(t, "--heartbeat-timeout", "10s")
	f.prefix, f.host = l.prefix, l.host
	f.listen, f.http = "tcp://"+l.host(0)+":0", l.host(0)+":0"
	f.startCoordinator()
	f.startWorkers(3)
	l.disturb()
	if l.faults == "" {
		t.Log("this kernel can neither delay nor lose packets: only the namespaces are tested")
	} else {
		t.Log(l.faults)
	}
	f.run(quickly, wantQuickly)()
	finish := f.run(slowly, wantSlowly, "--pace", "50")
	await(t, "the job to run", func() bool { return f.whole().Jobs[coordinator.Running] == 1 })
	l.cut(2, time.Second)
	finish()
	f.alive()
	again := 0
	for i := range l.size {
		again += l.retransmitted(i)
	}
	t.Logf("%d segments were sent again", again)
	if l.faults != "" && again == 0 {
		t.Error("nothing was lost or late: the faults are none")
	}
}

// TestCutOff takes workers off the network for so long that they are given up. Others carry on, and they come back to find
// that they have nothing any more: the answers are the same.
func TestCutOff(t *testing.T) {
	t.Parallel()
	l := newLAN(t, 5)
	input := rushHour(t, 300)
	want := embeddedAnswers(t, input)
	f := newFleet(t, "--heartbeat-timeout", "700ms")
	f.prefix, f.host = l.prefix, l.host
	f.listen, f.http = "tcp://"+l.host(0)+":0", l.host(0)+":0"
	f.startCoordinator()
	f.startWorkers(4)
	finish := f.run(input, want, "--pace", "30", "--recovery", "sm", "--replicas", "2", "--checkpoint-interval", "200ms")
	await(t, "the job to run", func() bool { return f.whole().Jobs[coordinator.Running] == 1 })
	for _, worker := range []int{2, 4} {
		time.Sleep(time.Second) // for checkpoints
		l.cut(worker, 2*time.Second)
		await(t, "everybody to be back", func() bool {
			c := f.whole()
			return c.Workers[coordinator.WorkerReady] == 4 && c.Jobs[coordinator.Recovering] == 0
		})
	}
	finish()
	f.alive()
	log, err := os.ReadFile(filepath.Join(f.dir, "coordinator.log"))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(log), "msg=job_recovered"); n < 2 {
		t.Errorf("the job was carried on %d times, want 2", n)
	}
}
