package reactor

import "sync"

// queue holds functions between the goroutines that give them and the loop that runs them. Its two slices take turns.
type queue struct {
	mu     sync.Mutex
	fns    []func() // guarded by mu
	taken  []func() // what take has returned last
	closed bool     // guarded by mu
}

// put adds a function, unless the queue is closed.
func (q *queue) put(fn func()) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.fns = append(q.fns, fn)
	return true
}

// take returns what has been put since, valid until it is called again.
func (q *queue) take() []func() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.fns, q.taken = q.taken[:0], q.fns
	return q.taken
}

// close is the last take.
func (q *queue) close() []func() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	return q.fns
}
