package auth

import (
	"container/list"
	"context"
	"sync"
)

// queue knows the handshakes that are under way, the one that has taken longest first.
type queue struct {
	mu      sync.Mutex
	tickets list.List // of *ticket; guarded by mu
}

// ticket is a handshake's place in the queue. Its context ends when the handshake is called off.
type ticket struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	place  *list.Element
}

func (q *queue) enter(ctx context.Context) *ticket {
	t := new(ticket)
	t.ctx, t.cancel = context.WithCancelCause(ctx)
	q.mu.Lock()
	defer q.mu.Unlock()
	t.place = q.tickets.PushBack(t)
	return t
}

// leave ends a ticket. It returns why it was called off, if it was: whoever did that counts on the handshake coming to
// nothing, be it as good as done.
func (q *queue) leave(t *ticket) error {
	q.mu.Lock()
	q.tickets.Remove(t.place) // does nothing after evict
	q.mu.Unlock()
	err := context.Cause(t.ctx)
	t.cancel(nil)
	return err
}

// evict calls off the handshake that has taken longest, and reports whether there was one.
func (q *queue) evict(r *Refused) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	oldest := q.tickets.Front()
	if oldest == nil {
		return false
	}
	q.tickets.Remove(oldest).(*ticket).cancel(r)
	return true
}
