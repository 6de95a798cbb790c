package ft

import "sync/atomic"

// Budget bounds the bytes that several keep in memory together, such as the stores of all jobs of a process. Its methods may
// be called from any goroutine.
type Budget struct {
	most int64
	used atomic.Int64
}

// NewBudget makes a budget of so many bytes; 0 or less for one without bound.
func NewBudget(bytes int64) *Budget { return &Budget{most: max(bytes, 0)} }

// Take takes bytes from the budget, or takes none and says that so many are not left. A negative number gives back, which
// always succeeds.
func (b *Budget) Take(bytes int64) bool {
	for {
		used := b.used.Load()
		if b.most > 0 && bytes > 0 && bytes > b.most-used {
			return false
		}
		if b.used.CompareAndSwap(used, used+bytes) {
			return true
		}
	}
}

// Used is how many bytes are taken.
func (b *Budget) Used() int64 { return b.used.Load() }

// Most is the bound in bytes, 0 for none.
func (b *Budget) Most() int64 { return b.most }
