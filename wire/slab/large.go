package slab

import "slices"

// largeCacheMax bounds the bytes of free mappings kept for reuse: enough for
// the few buffers of a snapshot to go round, little against a state worth
// having them for.
const largeCacheMax = 64 << 20

// largeCache keeps free mappings of more than one region, oldest first. They
// are reused for requests of exactly their size.
type largeCache struct {
	free  []mapping
	bytes int64
}

// takeLarge gives s a mapping of its own.
func (p *Pool) takeLarge(s *Slab, class int) (dirty int, err error) {
	i := slices.IndexFunc(p.large.free, func(m mapping) bool { return m.size == class })
	if i >= 0 {
		s.mem = p.large.free[i]
		p.large.free = slices.Delete(p.large.free, i, i+1)
		p.large.bytes -= int64(class)
		dirty = class
	} else {
		if s.mem, err = mapMemory(class, p.cfg.HugePages); err != nil {
			return 0, err
		}
		p.count.coldGets++
		p.count.mapped += int64(class)
		p.count.committed += int64(class)
	}
	s.chunk, s.ptr = nil, s.mem.ptr
	return dirty, nil
}

// putLarge keeps a mapping for reuse and unmaps older ones beyond the bound. One
// that the system will not unmap stays in the cache, accounted as mapped, for
// Trim and Close to report.
func (p *Pool) putLarge(m mapping) {
	p.large.free = append(p.large.free, m)
	p.large.bytes += int64(m.size)
	_, _ = p.dropLarge(largeCacheMax)
}

// dropLarge unmaps the oldest free mappings until at most keep bytes are left.
func (p *Pool) dropLarge(keep int64) (freed int64, err error) {
	for p.large.bytes > keep {
		m := p.large.free[0]
		if err := unmapMemory(m); err != nil {
			return freed, err
		}
		p.large.free = slices.Delete(p.large.free, 0, 1)
		p.large.bytes -= int64(m.size)
		p.count.mapped -= int64(m.size)
		p.count.committed -= int64(m.size)
		freed += int64(m.size)
	}
	return freed, nil
}
