package state

import (
	"encoding/binary"

	"github.com/zeebo/xxh3"
)

// entry is a record or a deletion, its bytes borrowed.
type entry struct {
	key     Key
	fixed   []byte // fixed value
	value   []byte // variable value
	raw     []byte // as it stands in the block
	deleted bool
}

// appendRecord writes a record as it stands in images.
func (l *layout) appendRecord(dst []byte, e *entry) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint64(dst, e.key.H1)
	if l.hasSub {
		dst = le.AppendUint64(dst, e.key.H2)
	}
	if l.keyBytes {
		dst = le.AppendUint32(dst, uint32(len(e.key.Key)))
	}
	if l.subBytes {
		dst = le.AppendUint32(dst, uint32(len(e.key.Sub)))
	}
	if l.variable {
		dst = le.AppendUint32(dst, uint32(len(e.value)))
	}
	dst = append(dst, e.fixed...)
	dst = append(dst, e.key.Key...)
	dst = append(dst, e.key.Sub...)
	return append(dst, e.value...)
}

// headBytes is what an entry has at least.
func (l *layout) headBytes(deleted bool) int {
	n := 8
	if l.hasSub {
		n += 8
	}
	if l.keyBytes {
		n += 4
	}
	if l.subBytes {
		n += 4
	}
	if !deleted {
		if l.variable {
			n += 4
		}
		n += int(l.stride - l.value)
	}
	return n
}

// parseEntry reads the entry at the beginning of b. It says false if b is too
// short for it.
func (l *layout) parseEntry(b []byte, deleted bool, e *entry) bool {
	head := l.headBytes(deleted)
	if len(b) < head {
		return false
	}
	le := binary.LittleEndian
	*e = entry{deleted: deleted}
	e.key.H1 = le.Uint64(b)
	at := 8
	if l.hasSub {
		e.key.H2 = le.Uint64(b[at:])
		at += 8
	}
	var key, sub, value uint64
	if l.keyBytes {
		key = uint64(le.Uint32(b[at:]))
		at += 4
	}
	if l.subBytes {
		sub = uint64(le.Uint32(b[at:]))
		at += 4
	}
	if l.variable && !deleted {
		value = uint64(le.Uint32(b[at:]))
		at += 4
	}
	n := uint64(head) + key + sub + value
	if n > uint64(len(b)) {
		return false
	}
	e.raw = b[:n:n]
	e.fixed = b[at:head:head]
	b = b[head:]
	if l.keyBytes {
		e.key.Key = b[:key:key]
	}
	if l.subBytes {
		e.key.Sub = b[key : key+sub : key+sub]
	}
	e.value = b[key+sub : key+sub+value]
	return true
}

// parseIdentity reads the deletion at the beginning of b, and says how long it
// is.
func (l *layout) parseIdentity(b []byte) (Key, int, bool) {
	var e entry
	ok := l.parseEntry(b, true, &e)
	return e.key, len(e.raw), ok
}

// sumOf is what a record or a deletion, as it stands in images, adds to a
// checksum.
func sumOf(raw []byte) uint64 { return xxh3.Hash(raw) }
