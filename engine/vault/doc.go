// Package vault keeps checkpoints of tasks of other workers in memory.
package vault
