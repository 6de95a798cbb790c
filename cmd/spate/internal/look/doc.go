// Package look shows how a cluster and its jobs are, as tables for people.
//
//	Look ── what a coordinator said at one moment, and what becomes of two of them: bytes per second between workers
//	  │
//	  ├─▶ Cluster, Workers, Jobs                        the whole
//	  └─▶ Head, Operators, Tasks, Links, Events         the one job that was asked for
//	        each a Table: rows of text, which align when they are written
//
// Rates and positions are as the workers reported them last, so they are up to half a second old, and some milliseconds more
// for what a worker counts itself. Logical time against the clock (column "behind") is known only where a job has a pace.
//
// Nothing here has a goroutine. A Look does not change; it may be read from anywhere.
package look
