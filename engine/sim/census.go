package sim

import (
	"fmt"
	"strings"
)

// Step is what a worker is in the middle of, as far as recovery is concerned.
type Step uint8

// The steps of a worker: of its checkpoints, of bringing tasks back, and what is neither.
const (
	Running   Step = iota // nothing in particular
	Copying               // a checkpoint is frozen, and not all of it copied
	Encoding              // all is copied, nothing encoded
	Putting               // it is on its way to the holders, of whom none has it
	Spreading             // some of the holders have it
	Kept                  // all have it, or have refused; the task has not heard
	Ordered               // tasks were given to the worker; nobody has answered yet what there is of them
	Fetching              // it is known what there is; a checkpoint is being fetched
	Built                 // all tasks are made and restored, none is in its place
	Installed             // they are in their places, not connected
	Joined                // they are connected, not running
	Watching              // others are bringing back tasks
	Ending                // all its tasks are at their end
	Steps                 // the number of steps
)

var stepNames = [Steps]string{"running", "copying", "encoding", "putting", "spreading", "kept", "ordered", "fetching", "built",
	"installed", "joined", "watching", "ending"}

// String names the step.
func (s Step) String() string { return stepNames[s] }

// Fault is what may befall a worker.
type Fault uint8

// The faults.
const (
	Death       Fault = iota // it dies
	DeathOfTwo               // it dies, and with it a worker that keeps checkpoints of its tasks
	Zombie                   // it is declared dead and goes on for a while
	Cut                      // its connections break
	Damage                   // a bit of what a holder keeps of its tasks changes
	Unreachable              // nobody can ask it what it keeps, for a while
	OldOrder                 // it is told an order again that it was told before, or should have been
	Forgetting               // its operator objects are built again
	Faults                   // the number of faults
)

var faultNames = [Faults]string{"death", "death with a holder", "zombie", "cut", "damage", "unreachable", "old order", "amnesia"}

// String names the fault.
func (f Fault) String() string { return faultNames[f] }

// Census counts faults by the step of the worker that they befell.
type Census [Faults][Steps]int

// Add adds another census.
func (c *Census) Add(other *Census) {
	for f := range c {
		for s := range c[f] {
			c[f][s] += other[f][s]
		}
	}
}

// Least is the pair of fault and step that was met most rarely, and how often.
func (c *Census) Least() (f Fault, s Step, n int) {
	n = c[0][0]
	for i := range c {
		for j := range c[i] {
			if c[i][j] < n {
				f, s, n = Fault(i), Step(j), c[i][j]
			}
		}
	}
	return f, s, n
}

// String is a table, with a line for each step and a column for each fault.
func (c *Census) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-10s", "")
	for f := range Faults {
		fmt.Fprintf(&b, " %*s", max(9, len(f.String())), f)
	}
	for s := range Steps {
		fmt.Fprintf(&b, "\n%-10s", s)
		for f := range Faults {
			fmt.Fprintf(&b, " %*d", max(9, len(f.String())), c[f][s])
		}
	}
	return b.String() + "\n"
}
