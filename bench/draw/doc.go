// Package draw draws numbers for generators of benchmark input: the same on every machine and in every run.
//
//	s := draw.Seed(seed, split, record)      a source of its own for every record, so that any record can be made alone
//	u := s.Next()                            64 random bits
//	z := draw.NewZipf(n); r := z.Rank(&s)    rank r of 0…n−1 with a weight of 1/(r+1)
//
// Everything is integer arithmetic, since floating point may be fused differently elsewhere. Invariant: a Zipf is
// immutable and may be shared by goroutines; a Source belongs to one.
//
// It is neither fit for secrets nor for statistics: draws below n are off by n/2⁶⁴.
package draw
