// Package background runs what takes long and is in no hurry: encoding, folding and cutting gigabytes of checkpoints must not take
// the processor from event loops, which have tuples to answer within a millisecond.
package background
