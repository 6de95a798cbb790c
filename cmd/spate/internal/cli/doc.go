// Package cli is the command line of spate: the grammar of its flags, and a file for each command.
//
//	lr generate | history | run | validate      Linear Road with files
//	bench lr | wordcount | topk | compare       measurements, in one process or on workers
//	bench hop | keyed | hops                    measurements of the data path
//	coordinator, worker                         the processes of a cluster
//	submit, drain, cancel                       jobs on it, by the coordinator's HTTP API
//	rescale, rebalance, migrate, worker drain   their tasks, while they run
//	status, top, events, profile                looks at it
//	version
//
// Flags are checked before anything is opened. A command writes its result to standard output, as text or with --json as
// one JSON object, and everything else to standard error. It ends with
//
//	0   fine
//	1   failed: a file, a line, the machine, a job, or an interrupt, which is only the right end of a coordinator or worker
//	2   usage: flags that are unknown, missing, out of range, or contradict each other
//	3   the answers were wrong
//
// Files are written beside their name and renamed when they are whole; an interrupted or failed command leaves nothing
// that looks whole. A closed standard output ends a command with 1 and no message.
//
// Main may be called once at a time.
package cli
