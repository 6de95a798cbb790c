// Package vault keeps checkpoints of tasks in the memory of other workers, where they outlive the worker that ran the task.
//
//	worker a, runs task T            worker b                            worker c
//	┌──────────────────┐  PUT T, 7  ┌──────────────────────────────┐    ┌──────────────┐
//	│ checkpoint.Taker │ ─────────▶ │ Vault: who runs T?  a ✓      │    │ Vault        │
//	│   └ Client ──────┼──────┐     │   job j1 ▸ ft.Memory: T 5 6 7│    │   T 5 6 7    │
//	└──────────────────┘      │     │        folds beside ▸ T 7    │    │              │
//	                          │     └──────────────────────────────┘    └──────────────┘
//	                          └───────────────────────────────────────────▲      │ ▲ GET: what is there of T?
//	   a is lost; d is to run T                          worker d: Client ▲──────┘─┘ GET T, 7, folded
//
// It is plain HTTP/1.1 over connections that engine/auth has authenticated, for the purpose of backups:
//
//	PUT /jobs/JOB/checkpoints?operator=&first=&last=&generation=&follows=   an encoded checkpoint; Content-Length is a must
//	GET /jobs/JOB/checkpoints?operator=&first=&last=                        what can be restored, newest first: JSON of ft.Info
//	GET /jobs/JOB/checkpoints?operator=&first=&last=&generation=            an encoded checkpoint, folded
//
//	403 fenced     another incarnation runs the task    *FencedError       411, 400 request   it cannot be right
//	404 not_found                                       ft.ErrNotFound     412 chain          *ft.ChainError
//	408 request    it takes too long                                       422 damaged        *ft.FormatError
//	409 unknown    the order may be on its way          *UnknownError      507 budget         *ft.BudgetError
//
// first and last are hexadecimal, generations decimal. What is wrong is said in JSON, from which the client makes the same
// type of error again.
//
// # Invariants
//
//   - A checkpoint is kept only if its connection has authenticated the incarnation that runs the task by the newest order
//     that has come here. This is looked at before its bytes are sent for, and again when they have arrived: once
//     Vault.Owners has returned, nobody who was replaced can change anything. Everybody in the cluster may read.
//   - A checkpoint is kept whole or not at all. Checksums are compared when it arrives here and again where it is fetched.
//   - Client.Put says nil only if every host has it. Client.Newest says ft.ErrNotFound only if every host has answered.
//   - 0 ≤ Bytes ≤ Budget, over all jobs, what is arriving included; in addition the one that is being folded, and what is
//     being sent although it has been replaced.
//   - Who is silent in the middle of a transfer for longer than the time-out is given up, at both ends. A host where nobody
//     listens fails at once. A time-out is between blocks, not for all: a large checkpoint may take as long as it must.
//   - A connection is used for one incarnation of a worker alone: who has come in its place is not asked.
//
// # Who calls what
//
// Everything may be called from any goroutine, but blocks, apart from Vault.Serve: it is not for an event loop. A Vault has one
// goroutine that accepts, one that folds, and two for each connection; Stop joins them. A Client has two for each connection
// that is kept, which Stop ends. Put takes the encoded checkpoint, Newest returns one that is shared: neither may be changed.
//
// The package does not decide who keeps what (ft.Holders), does not repeat what has failed, does not cut checkpoints by key
// range, and seals nothing: see engine/auth.
package vault
