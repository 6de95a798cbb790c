package state

import (
	"iter"

	"github.com/fullspate/spate/partition"
)

// Record is what an image holds under one identity. Its bytes are borrowed
// until the next one.
type Record struct {
	Key   Key
	Value []byte
	Bytes int // that it takes in the image, decompressed
}

// Records are the records of a base whose h1 are in rng, in order of
// identities. Blocks that lie outside are not unpacked. The error, which is the
// last pair, is an *ImageError. Any goroutine may call it.
func Records(image []byte, rng partition.Range) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		r, err := openImage(image)
		if err == nil {
			defer r.close()
			if r.head.kind != Base {
				err = r.fail(8, "it is a %v, must be a base", r.head.kind)
			}
		}
		if err == nil {
			err = r.records(rng, func(rec Record) bool { return yield(rec, nil) })
		}
		if err != nil {
			yield(Record{}, err)
		}
	}
}

// records calls fn for the records in rng until it returns false.
func (r *imageReader) records(rng partition.Range, fn func(Record) bool) error {
	c := cursor{r: r}
	var e entry
	for {
		f, payload, ok, err := r.next()
		switch {
		case err != nil || !ok || f.first > rng.Last:
			return err
		case f.last < rng.First:
			continue
		}
		if err := c.open(&f, payload); err != nil {
			return err
		}
		for c.hasPut {
			if _, err := c.next(&e); err != nil {
				return err
			}
			if rng.Contains(e.key.H1) && !fn(e.record()) {
				return nil
			}
		}
		if err := c.closeBlock(); err != nil {
			return err
		}
	}
}

func (e *entry) record() Record {
	value := e.fixed
	if len(value) == 0 {
		value = e.value
	}
	return Record{Key: e.key, Value: value, Bytes: len(e.raw)}
}
