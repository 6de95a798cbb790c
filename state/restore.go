package state

import (
	"fmt"

	"github.com/fullspate/spate/partition"
)

// Restore makes a map of the records in a base, changed by deltas in the order
// in which they were taken, whose h1 are in cfg.Range. The images' ranges must
// cover that, and the schema must be theirs. A delta of the map may follow. The
// error is an *ImageError if an image is damaged.
func Restore(cfg Config, base []byte, deltas ...[]byte) (m *Map, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	readers, err := openChain(base, deltas)
	if err != nil {
		return nil, err
	}
	defer closeAll(readers)
	head := &readers[0].head
	if want := cfg.Schema.Fingerprint(); head.fingerprint != want || layoutOf(head.schema) != layoutOf(cfg.Schema) {
		return nil, fmt.Errorf("table %q: the image is of another schema: fingerprint %016x, must be %016x", cfg.Schema.Name, head.fingerprint, want)
	}
	if !head.rng.Covers(cfg.Range) {
		return nil, fmt.Errorf("table %q: the image has hashes %v, which do not cover %v", cfg.Schema.Name, head.rng, cfg.Range)
	}
	info, err := Inspect(base)
	if err != nil {
		return nil, err
	}
	if cfg.Expect == 0 {
		cfg.Expect = int64(float64(info.Records) * min(1, cfg.Range.Fraction()/head.rng.Fraction()))
	}
	if m, err = New(cfg); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			m.drop()
			m = nil
		}
	}()
	defer catch(&err)
	for _, r := range readers {
		if err := m.load(r, cfg.Range); err != nil {
			return m, err
		}
	}
	m.settle(readers[len(readers)-1].head)
	return m, nil
}

// openChain opens a base and the deltas that follow it, and checks that they do.
func openChain(base []byte, deltas [][]byte) (readers []*imageReader, err error) {
	defer func() {
		if err != nil {
			closeAll(readers)
		}
	}()
	for i, image := range append([][]byte{base}, deltas...) {
		r, err := openImage(image)
		if err != nil {
			if i > 0 {
				err = fmt.Errorf("delta %d: %w", i, err)
			}
			return readers, err
		}
		readers = append(readers, r)
		if i == 0 {
			if r.head.kind != Base {
				return readers, r.fail(8, "it is a %v, must be a base", r.head.kind)
			}
			continue
		}
		before := &readers[i-1].head
		switch {
		case r.head.kind != Delta:
			return readers, fmt.Errorf("delta %d: %w", i, r.fail(8, "it is a %v, must be a delta", r.head.kind))
		case r.head.parent != before.position:
			return readers, fmt.Errorf("delta %d: %w", i, r.fail(40, "it follows the snapshot at %v, must follow the one at %v", r.head.parent, before.position))
		case r.head.rng != before.rng:
			return readers, fmt.Errorf("delta %d: %w", i, r.fail(48, "its range is %v, must be %v", r.head.rng, before.rng))
		case r.head.fingerprint != before.fingerprint || r.head.schema != before.schema:
			return readers, fmt.Errorf("delta %d: %w", i, r.fail(24, "its schema is another than the base's"))
		}
	}
	return readers, nil
}

func closeAll(readers []*imageReader) {
	for _, r := range readers {
		r.close()
	}
}

// load applies the entries of an image that are in rng. Blocks outside of it
// are passed over.
func (m *Map) load(r *imageReader, rng partition.Range) error {
	c := cursor{r: r}
	var e entry
	for {
		ok, err := c.next(&e)
		if err != nil || !ok {
			return err
		}
		if rng.Contains(e.key.H1) {
			m.apply(&e)
		}
	}
}

// apply puts or deletes e.
func (m *Map) apply(e *entry) {
	if e.deleted {
		m.remove(&e.key)
		return
	}
	s, p, _ := m.upsert(&e.key, len(e.value))
	copy(slotBytes(advance(p, m.lay.value), uint64(len(e.fixed))), e.fixed)
	if m.lay.variable {
		putBlob(s.heap.bytes(refAt(p, m.lay.ref)), e.key.Key, e.key.Sub, e.value)
	}
}

// settle makes a restored map one whose last snapshot was h.
func (m *Map) settle(h header) {
	m.tracks, m.parent = true, h.position
	m.epoch++ // every segment forgets what was marked
}
