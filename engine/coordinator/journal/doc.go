// Package journal keeps records in a file such that what was synced is there after any crash, and that damage is found.
//
//	DIR/lock       held by the process that uses DIR
//	DIR/journal    spate-journal 1␊
//	               0000002a 1c291ca3 {"start":{"epoch":1,…}}␊
//	               │        │        └ record: any bytes without a newline, as a rule JSON
//	               │        └ CRC-32C over the length as written and the record, in hex
//	               └ length of the record in bytes, in hex
//	DIR/journal.new  a journal that is being rewritten; of no meaning before it is renamed
//
// Invariants:
//
//   - Records are read in the order in which they were appended, each exactly once.
//   - When Sync has returned nil, every record appended before is read again after any crash.
//   - Only what can be the trace of an append that was cut off is cut: a last line that is shorter than it says and has no
//     newline. Everything else that is not as written is a *CorruptError with file and offset, and nothing is read at all.
//   - After a write has failed the journal takes nothing more: what is on disk is then unknown until it is opened again.
//
// A Journal is used by one goroutine at a time. The package does not know what records mean; it decides neither when to sync
// nor when to rewrite. Where the system has no flock, nothing keeps two processes from using one directory.
package journal
