package slab

import "sync"

// warmAhead is how many regions of free memory the helper keeps faulted in. A
// fresh huge page takes up to 7 ms, so two last for an owner that fills 500 MB
// a second, and waste 4 MiB of a pool that has stopped growing.
const warmAhead = 2

// prefaulter is the helper's state, guarded by the pool's mutex.
type prefaulter struct {
	wake    *sync.Cond
	idle    *sync.Cond // nobody is running or touching any more
	running bool       // the helper
	touches int        // regions being faulted in, by the helper or by Warm
	stop    bool
}

func (h *prefaulter) init(mu *sync.Mutex) {
	h.wake, h.idle = sync.NewCond(mu), sync.NewCond(mu)
}

// join ends the helper and waits for it, and for calls of Warm to notice. The
// pool's mutex is held, but not while waiting.
func (h *prefaulter) join() {
	h.stop = true
	h.wake.Signal()
	for h.running || h.touches > 0 {
		h.idle.Wait()
	}
}

// wakeHelper has the helper look whether it is needed, starting it the first
// time.
func (p *Pool) wakeHelper() {
	if !p.needsWarm() {
		return
	}
	if !p.helper.running {
		p.helper.running = true
		go p.prefault()
		return
	}
	p.helper.wake.Signal()
}

// needsWarm reports whether there is less free warm memory than wanted and the
// budget lets it be used. Only long runs count: in those any class finds room.
func (p *Pool) needsWarm() bool {
	free := p.warm.whole * unit
	if free >= warmAhead*RegionSize {
		return false
	}
	return p.cfg.Budget == 0 || p.owners.inUse+free < p.cfg.Budget
}

// prefault is the helper: it faults regions in, one at a time, without holding
// the mutex. A region on its way is neither cold nor free; a Get that comes
// meanwhile takes another.
func (p *Pool) prefault() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.helper.stop {
		if !p.needsWarm() {
			p.helper.wake.Wait()
			continue
		}
		if err := p.warmOne(); err != nil {
			break // Get will meet the same error and report it
		}
	}
	p.helper.running = false
	p.helper.idle.Broadcast()
}

// warmOne faults one cold region in and makes it free memory. The mutex is
// released meanwhile.
func (p *Pool) warmOne() error {
	c, i, err := p.coldRegion()
	if err != nil {
		return err
	}
	p.helper.touches++
	p.mu.Unlock()
	warmMemory(c.mem.region(i, 1))
	p.mu.Lock()
	p.helper.touches--
	p.helper.idle.Broadcast()
	p.count.prefaulted++
	p.addWarm(c, i)
	return nil
}

// Warm faults memory in, in the caller's goroutine, until at least the given
// bytes are free and warm in runs of at least a region each. It is for before a
// job starts.
func (p *Pool) Warm(bytes int64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.warm.whole*unit < bytes {
		if p.closed {
			return ErrClosed
		}
		if err := p.warmOne(); err != nil {
			return err
		}
	}
	return nil
}
