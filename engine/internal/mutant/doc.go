// Package mutant holds the switches of the planted bugs by which the simulator is tested: under the build tag "mutations"
// a test plants one and expects simulation to find it.
//
//	if mutant.Active == mutant.TieOrder { … }     the wrong branch
//
// In a normal build Active is the constant None, and the compiler leaves nothing of such a branch. Under the tag it is a
// variable that is set while nothing runs.
package mutant

// Kind names a planted bug.
type Kind uint8

// The planted bugs, by where they are.
const (
	None Kind = iota

	// of a step
	TieOrder       // tuples of one time are handled as they come, not in order of key
	KeysDescending // keys of one time are handled in descending order
	TimersLast     // a key's timers fire after its tuples
	PortOrder      // tuples of one time and key are handled by channel from the last to the first
	SplitTie       // tuples of one time in two frames are handled in two steps
	PassedTimer    // a run of tuples goes on past the time of a timer

	// of the frontier
	FrontierPassed // a task processes the time at its inputs' frontier
	FrontierAhead  // a task publishes a frontier one beyond its position
	FrontierFirst  // a frontier overtakes frames on the network
	AckAhead       // a task acknowledges one time that it has not processed

	// of timers and the end of the input
	StaleTimer  // a timer fires where it was before it was moved
	FinalTimers // timers that are set in the end phase are kept
	EndUnknown  // the end of the input is told with the last frontier only

	// of checkpoints, restore and replay
	NoAgenda     // restored timers are not entered in the agenda
	NoOutput     // a checkpoint leaves out the untrimmed output
	NoLastTime   // a checkpoint of a source leaves out the last time that it gave
	SkipOne      // a restored source passes over one record too many
	ResumeLate   // a reopened channel begins one time too late
	TrimAhead    // a log is trimmed one time beyond its consumer's checkpoint
	KeepReceived // a consumer keeps what it received beyond a broken channel's frontier
	DeltaLost    // an incremental checkpoint is not added to what it builds upon

	// of the recovery of workers
	TrimConsumed    // a worker acknowledges to others what its tasks have consumed, not what is durable
	ReturnLate      // a task that is back reads its input from one time too late on
	ReturnEarly     // a task that is back reads its input from one time too early on
	SuccessorLate   // the successor of a broken channel begins one time too late
	SuccessorEarly  // it begins at the consumer's position, though more has come
	DurableEarly    // a task hears that a checkpoint is durable before anybody has it
	OneIsEnough     // it does so when the first of the holders has it
	ZombieKept      // a holder takes checkpoints of who does not run the task any more
	AskSome         // who does not answer is taken for somebody who has nothing
	OldestFirst     // of all checkpoints that are there the oldest is preferred
	LogForgotten    // the log of a task that is restored is not loaded
	NoRenew         // nothing is kept anew when a holder is lost
	EarlyForgotten  // who asks for a channel before it is there is not served later
	OwnHolder       // a worker keeps the checkpoints of its own tasks
	BrokenForgotten // what is below the frontier of a broken channel is dropped

	Kinds // the number of kinds
)

var names = [Kinds]string{"none", "tie order", "keys descending", "timers last", "port order", "split tie", "passed timer",
	"frontier passed", "frontier ahead", "frontier first", "ack ahead", "stale timer", "final timers", "end unknown",
	"no agenda", "no output", "no last time", "skip one", "resume late", "trim ahead", "keep received", "delta lost",
	"trim consumed", "return late", "return early", "successor late", "successor early", "durable early", "one is enough",
	"zombie kept", "ask some", "oldest first", "log forgotten", "no renew",
	"early forgotten", "own holder", "broken forgotten"}

// OfWorkers says whether the bug shows only where workers are lost.
func (k Kind) OfWorkers() bool { return k >= TrimConsumed && k < Kinds }

// String names the bug.
func (k Kind) String() string { return names[k] }
