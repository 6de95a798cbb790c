// Package inspect looks into checkpoints without the program whose they are: into a directory of checkpoints, also while a run
// uses it, or a savepoint. It changes nothing.
//
//	Look ─▶ Result ─▶ tasks ─▶ tables: records, bytes, heaviest hashes, and what one key has
//
// Names of tables, and fields of values, are known from what the directory says of its job.
package inspect
