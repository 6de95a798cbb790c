package slab

import (
	"fmt"
	"strings"
)

// BudgetError says that a slab would have exceeded the pool's budget.
type BudgetError struct {
	Owner  string // who asked
	Want   int64  // bytes, rounded up to the class
	InUse  int64  // bytes in slabs at the time
	Budget int64  // bytes
}

// Error implements error.
func (e *BudgetError) Error() string {
	return fmt.Sprintf("memory budget exceeded: %s wants %d bytes, %d of %d are in use",
		e.Owner, e.Want, e.InUse, e.Budget)
}

// OutstandingError says that a pool was closed while slabs were in use.
type OutstandingError struct {
	Owners []OwnerStats // those with slabs
}

// Error implements error.
func (e *OutstandingError) Error() string {
	var b strings.Builder
	b.WriteString("slabs are still in use:")
	for i, o := range e.Owners {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, " %s has %d slabs of %d bytes in all", o.Name, o.Slabs, o.InUse)
	}
	return b.String()
}
