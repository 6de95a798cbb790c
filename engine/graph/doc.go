// Package graph holds a query as data: operators, the streams between them, and what follows from these alone, such as
// whether the query makes sense, which operators are fused, and the fingerprint by which workers and savepoints tell
// whether they speak of the same query.
//
//	feeder ──▶ forwarder ──reports──▶ toll-calculator ──▶ …      operators, named outputs, input ports
//	└──── one unit ────┘              └─ one unit ─┘             a unit: a host operator and what is fused into it
//
// A graph is built by package engine, whose functions are typed; here everything is untyped. It is acyclic by
// construction, since an operator can only consume a stream that exists. A graph is not changed once it is complete, and
// may then be read from any goroutine.
package graph
