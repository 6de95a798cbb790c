package state

import (
	"fmt"
	"io"
)

// MergeImages writes the base that the given bases make together. They must be
// of one schema, at one position, and of adjacent ranges in ascending order.
// Blocks are copied as they are, so that no more than one is in memory besides
// the images; what the image holds is what Fold and Restore of it see, but its
// blocks, and so its bytes, may be others than those of a snapshot. Any
// goroutine may call it. The error is an *ImageError if an image is damaged.
func MergeImages(w io.Writer, images ...[]byte) (Info, error) {
	if len(images) == 0 {
		return Info{}, fmt.Errorf("merging images: there are none, want one at least")
	}
	readers := make([]*imageReader, len(images))
	for i, image := range images {
		r, err := openImage(image)
		if err != nil {
			return Info{}, fmt.Errorf("merging images: image %d: %w", i, err)
		}
		readers[i] = r
		if err := r.joins(readers[max(i-1, 0)]); err != nil {
			return Info{}, fmt.Errorf("merging images: image %d: %w", i, err)
		}
	}
	h := readers[0].head
	h.parent, h.rng.Last = 0, readers[len(readers)-1].head.rng.Last
	iw, err := newImageWriter(w, Raw, h)
	if err != nil {
		return Info{}, err
	}
	for i, r := range readers {
		if err := iw.copyBlocks(r); err != nil {
			return Info{}, fmt.Errorf("merging images: image %d: %w", i, err)
		}
	}
	return iw.close()
}

// joins says why an image cannot follow another, which is itself for the first.
func (r *imageReader) joins(before *imageReader) error {
	h, b := &r.head, &before.head
	switch {
	case h.kind != Base:
		return r.fail(8, "it is a %v, must be a base", h.kind)
	case r == before:
		return nil
	case h.fingerprint != b.fingerprint || h.schema != b.schema:
		return fmt.Errorf("its schema %016x is not %016x, that of the one before", h.fingerprint, b.fingerprint)
	case h.position != b.position:
		return fmt.Errorf("it is at %v, the one before at %v", h.position, b.position)
	case !b.rng.Precedes(h.rng):
		return fmt.Errorf("its hashes %v do not follow %v", h.rng, b.rng)
	}
	return nil
}

// copyBlocks copies all blocks of another image.
func (w *imageWriter) copyBlocks(r *imageReader) error {
	for {
		f, payload, ok, err := r.next()
		if err != nil || !ok {
			return err
		}
		if err := w.copyBlock(&f, payload); err != nil {
			return err
		}
	}
}
