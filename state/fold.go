package state

import (
	"bytes"
	"fmt"
	"io"

	"github.com/fullspate/spate/partition"
)

// Fold writes the base that results from a base and the deltas that follow it,
// in order. Its bytes are those of a Base taken at the last delta's position.
// Any goroutine may call it. The error is an *ImageError if an image is damaged.
func Fold(w io.Writer, codec Codec, base []byte, deltas ...[]byte) (Info, error) {
	readers, err := openChain(base, deltas)
	if err != nil {
		return Info{}, err
	}
	defer closeAll(readers)
	h := readers[len(readers)-1].head
	h.kind, h.parent = Base, 0
	iw, err := newImageWriter(w, codec, h)
	if err != nil {
		return Info{}, err
	}
	f := folder{cursors: make([]cursor, len(readers)), heads: make([]entry, len(readers)), has: make([]bool, len(readers))}
	for i, r := range readers {
		f.cursors[i].r = r
		if err := f.advance(i); err != nil {
			return Info{}, err
		}
	}
	for {
		i, ok := f.newest()
		if !ok {
			return iw.close()
		}
		if !f.heads[i].deleted {
			if err := iw.add(&f.heads[i]); err != nil {
				return Info{}, err
			}
		}
		if err := f.pass(i); err != nil {
			return Info{}, err
		}
	}
}

// folder merges the entries of a base and deltas.
type folder struct {
	cursors []cursor
	heads   []entry // the next of each
	has     []bool
}

func (f *folder) advance(i int) error {
	ok, err := f.cursors[i].next(&f.heads[i])
	f.has[i] = ok
	if err != nil && i > 0 {
		err = fmt.Errorf("delta %d: %w", i, err)
	}
	return err
}

// newest is the image with the last word on the least identity.
func (f *folder) newest() (int, bool) {
	least := -1
	for i := range f.heads {
		if f.has[i] && (least < 0 || compareKeys(&f.heads[i].key, &f.heads[least].key) <= 0) {
			least = i
		}
	}
	return least, least >= 0
}

// pass goes beyond the identity at the head of image i, in all images.
func (f *folder) pass(i int) error {
	for j := range f.heads {
		if j != i && f.has[j] && compareKeys(&f.heads[j].key, &f.heads[i].key) == 0 {
			if err := f.advance(j); err != nil {
				return err
			}
		}
	}
	return f.advance(i)
}

// SplitImage cuts an image by ranges of h1, which must be ascending, must not
// overlap, and must lie in the image's. Blocks of a base that lie in one range
// are copied as they are. Any goroutine may call it. The error is an
// *ImageError if the image is damaged.
func SplitImage(image []byte, ranges []partition.Range) ([][]byte, error) {
	r, err := openImage(image)
	if err != nil {
		return nil, err
	}
	defer r.close()
	for i, rng := range ranges {
		if !rng.Valid() || !r.head.rng.Covers(rng) {
			return nil, fmt.Errorf("splitting an image: range %v is not inside of the image's %v", rng, r.head.rng)
		}
		if i > 0 && ranges[i-1].Last >= rng.First {
			return nil, fmt.Errorf("splitting an image: range %v does not lie above %v", rng, ranges[i-1])
		}
	}
	codec := Raw
	if len(image) > headerBytes+frameBytes {
		codec = min(Codec(image[headerBytes+4]), Zstd) // that of the first block
	}
	outs := make([]bytes.Buffer, len(ranges))
	s := imageSplitter{ranges: ranges}
	for i, rng := range ranges {
		h := r.head
		h.rng = rng
		w, err := newImageWriter(&outs[i], codec, h)
		if err != nil {
			return nil, err
		}
		s.writers = append(s.writers, w)
	}
	if err := s.run(r); err != nil {
		return nil, err
	}
	pieces := make([][]byte, len(ranges))
	for i, w := range s.writers {
		if _, err := w.close(); err != nil {
			return nil, err
		}
		pieces[i] = outs[i].Bytes()
	}
	return pieces, nil
}

type imageSplitter struct {
	ranges  []partition.Range
	writers []*imageWriter
}

func (s *imageSplitter) run(r *imageReader) error {
	c := cursor{r: r}
	var e entry
	at := 0 // the first range that does not lie below the block
	for {
		f, payload, ok, err := r.next()
		if err != nil || !ok {
			return err
		}
		for at < len(s.ranges) && s.ranges[at].Last < f.first {
			at++
		}
		if at < len(s.ranges) && r.head.kind == Base && s.ranges[at].First <= f.first && f.last <= s.ranges[at].Last {
			if err := s.writers[at].copyBlock(&f, payload); err != nil {
				return err
			}
			c.started = false
			continue
		}
		if err := c.open(&f, payload); err != nil {
			return err
		}
		for c.hasPut || c.hasDel {
			if _, err := c.next(&e); err != nil {
				return err
			}
			for i := at; i < len(s.ranges) && s.ranges[i].First <= e.key.H1; i++ {
				if s.ranges[i].Contains(e.key.H1) {
					if err := s.writers[i].add(&e); err != nil {
						return err
					}
				}
			}
		}
		if err := c.closeBlock(); err != nil {
			return err
		}
	}
}

// copyBlock writes a block of another image, after what was added.
func (w *imageWriter) copyBlock(f *frame, payload []byte) error {
	if w.block.records+w.block.deletions > 0 {
		if err := w.flush(len(w.records), len(w.deleted)); err != nil {
			return err
		}
		w.records, w.deleted = w.records[:0], w.deleted[:0]
	}
	return w.emit(f, payload)
}
