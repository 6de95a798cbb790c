package slab

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"sync"
)

// Config configures a pool. The zero Config is a pool without a budget, with
// ordinary pages, that faults memory in as it is used.
type Config struct {
	// Budget bounds the bytes in slabs; 0 = no bound. What is mapped exceeds
	// it by what is free, see Stats.
	Budget int64
	// HugePages asks the system for huge pages.
	HugePages bool
	// Prefault starts, with the first Get, a goroutine that keeps warmAhead
	// regions of free memory faulted in.
	Prefault bool
}

// Validate reports what is wrong with the configuration.
func (c Config) Validate() error {
	if c.Budget < 0 {
		return fmt.Errorf("slab pool: budget of %d bytes, want 0 for none or a positive number", c.Budget)
	}
	return nil
}

// OwnerID names who a slab is accounted to.
type OwnerID uint16

// ErrClosed is returned by Get and Warm on a closed pool.
var ErrClosed = errors.New("slab pool is closed")

// Pool hands out slabs. Its methods may be called from any goroutine.
type Pool struct {
	cfg    Config
	mu     sync.Mutex
	closed bool
	warm   carver
	chunks []*chunk
	large  largeCache
	spare  []*Slab // handles for reuse
	owners accounts
	count  counters
	helper prefaulter
}

// counters are the sums behind Stats, in bytes unless said otherwise.
type counters struct {
	mapped     int64
	committed  int64
	gets       uint64 // calls
	coldGets   uint64 // of those, took memory nobody had faulted in
	prefaulted uint64 // regions
}

// New returns an empty pool. It maps nothing yet and panics if the
// configuration is not valid.
func New(cfg Config) *Pool {
	if err := cfg.Validate(); err != nil {
		panic("BUG: " + err.Error())
	}
	p := &Pool{cfg: cfg}
	p.warm.init()
	p.owners.ids = make(map[string]OwnerID)
	p.helper.init(&p.mu)
	return p
}

// Owner returns the id under which slabs of the named owner are accounted,
// registering the name the first time. Names are never forgotten; there can be
// 65,536 of them.
func (p *Pool) Owner(name string) OwnerID {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.owners.id(name)
}

// Get returns a slab of at least size bytes, size ≥ 1, which the caller owns
// until it puts it back. Its contents are arbitrary. It fails with a
// *BudgetError, with ErrClosed, or with the system's error when there is no
// more address space.
func (p *Pool) Get(size int, owner OwnerID) (*Slab, error) {
	s, _, err := p.get(size, owner)
	return s, err
}

// GetZeroed is Get with all bytes of the slab zero.
func (p *Pool) GetZeroed(size int, owner OwnerID) (*Slab, error) {
	s, dirty, err := p.get(size, owner)
	if err != nil {
		return nil, err
	}
	clear(s.Bytes()[:dirty])
	return s, nil
}

// get returns a slab, of which at most the first dirty bytes are not zero.
func (p *Pool) get(size int, owner OwnerID) (s *Slab, dirty int, err error) {
	class := ClassSize(size)
	if class == 0 {
		panic(fmt.Sprintf("BUG: slab of %d bytes, want at least 1", size))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, 0, ErrClosed
	}
	if err := p.owners.charge(owner, class, p.cfg.Budget); err != nil {
		return nil, 0, err
	}
	p.count.gets++
	s = p.handle()
	if class <= RegionSize {
		dirty, err = p.carve(s, class)
	} else {
		dirty, err = p.takeLarge(s, class)
	}
	if err != nil {
		p.owners.refund(owner, class)
		p.spare = append(p.spare, s)
		return nil, 0, err
	}
	s.size, s.owner, s.live, s.pool = class, owner, true, p
	if Invariants {
		s.checkPoison()
	}
	if p.cfg.Prefault {
		p.wakeHelper()
	}
	return s, dirty, nil
}

// Put takes the slab: the caller must not touch it or its memory again. It
// panics when the slab is another pool's or not in use.
func (p *Pool) Put(s *Slab) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.pool != p {
		panic(fmt.Sprintf("BUG: slab of %d bytes at %p put to a pool that it is not from", s.size, s.ptr))
	}
	if !s.live {
		panic(fmt.Sprintf("BUG: slab of %d bytes at %p released twice", s.size, s.ptr))
	}
	s.live = false
	p.owners.refund(s.owner, s.size)
	if Invariants {
		s.poison()
	}
	if s.chunk != nil {
		p.warm.give(s.chunk, s.offset(), s.size/unit)
	} else {
		p.putLarge(s.mem)
	}
	if Invariants {
		return // the handle stays dead, so that a second release is noticed
	}
	s.chunk, s.mem = nil, mapping{}
	p.spare = append(p.spare, s)
}

// handle returns an unused Slab.
func (p *Pool) handle() *Slab {
	if last := len(p.spare) - 1; last >= 0 {
		s := p.spare[last]
		p.spare = p.spare[:last]
		return s
	}
	return new(Slab)
}

// carve places a slab of an exact class up to RegionSize in warm memory,
// adding a region to it when none of its runs is long enough. Two may be
// needed, when the free memory before and after them does not join.
func (p *Pool) carve(s *Slab, class int) (dirty int, err error) {
	n := class / unit
	c, off := p.warm.take(n)
	for cold := false; c == nil; c, off = p.warm.take(n) {
		if !cold {
			cold = true
			p.count.coldGets++
		}
		c, i, err := p.coldRegion()
		if err != nil {
			return 0, err
		}
		p.addWarm(c, i)
	}
	s.chunk, s.ptr = c, c.at(off)
	if end := int32(off + n); c.dirtyEnd < end {
		dirty = max(0, int(c.dirtyEnd)-off) * unit
		c.dirtyEnd = end
		return dirty, nil
	}
	return class, nil
}

// coldRegion removes a region from the cold ones and returns it, mapping a new
// chunk when there is none. Regions come in order of address within a chunk, so
// that a warm region joins the free end of the one before.
func (p *Pool) coldRegion() (*chunk, int, error) {
	for i := len(p.chunks) - 1; i >= 0; i-- {
		if c := p.chunks[i]; c.cold != 0 {
			r := bits.TrailingZeros32(c.cold)
			c.cold &^= 1 << r
			return c, r, nil
		}
	}
	regions := chunkRegionsMin << min(len(p.chunks), chunkDoublings)
	m, err := mapMemory(regions*RegionSize, p.cfg.HugePages)
	if err != nil {
		return nil, 0, err
	}
	p.count.mapped += int64(m.size)
	c := &chunk{mem: m, tag: make([]int32, regions*regionUnits), cold: math.MaxUint32 >> (32 - regions)}
	p.chunks = append(p.chunks, c)
	c.cold &^= 1
	return c, 0, nil
}

// addWarm makes a region that is neither cold nor in use free memory.
func (p *Pool) addWarm(c *chunk, region int) {
	p.count.committed += RegionSize
	p.warm.give(c, region*regionUnits, regionUnits)
}

// Trim gives free regions, and free mappings larger than one, back to the
// system and returns their bytes. It is for after a job has shrunk: what is
// given back must be faulted in anew.
func (p *Pool) Trim() (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	freed, err := p.dropLarge(0)
	for i := 0; i < len(p.warm.runs) && err == nil; i++ {
		r := p.warm.runs[i]
		if r.chunk == nil {
			continue
		}
		first := (int(r.off) + regionUnits - 1) / regionUnits
		n := int(r.off+r.n)/regionUnits - first
		if n < 1 {
			continue
		}
		if err = coolMemory(r.chunk.mem.region(first, n)); err != nil {
			break
		}
		p.warm.cut(int32(i), first*regionUnits, n*regionUnits)
		r.chunk.cold |= (math.MaxUint32 >> (32 - n)) << first
		p.count.committed -= int64(n) * RegionSize
		freed += int64(n) * RegionSize
	}
	return freed, err
}

// Close joins the helper and unmaps everything. While slabs are in use it does
// nothing but return an *OutstandingError: put them back and close again.
// Closing a closed pool does nothing.
func (p *Pool) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	if out := p.owners.outstanding(); len(out) > 0 {
		return &OutstandingError{Owners: out}
	}
	p.closed = true
	p.helper.join()
	_, err := p.dropLarge(0)
	for _, c := range p.chunks {
		err = errors.Join(err, unmapMemory(c.mem))
		p.count.mapped -= int64(c.mem.size)
	}
	p.chunks, p.warm, p.count.committed = nil, carver{}, 0
	return err
}
