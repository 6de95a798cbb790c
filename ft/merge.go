package ft

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/state"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// Merge makes one checkpoint of those of an operator's tasks whose ranges tile whole, in ascending order. They must be bases at
// one position. It is the inverse of Split.
//
// Tables are merged image by image, block by block; what is in logs of one name, in order of τ, and there of the pieces. A log that
// a piece does not have begins at its position, as in one that is restored: one piece may have been taken before a consumer came or
// went, the other one after it. Splits are united. At most one of the pieces may have a mark, which is then the result's. The end of
// the input is known if all know it, and their latest is its.
func Merge(pieces []*Checkpoint, whole partition.Range) (*Checkpoint, error) {
	if len(pieces) == 0 {
		return nil, fmt.Errorf("merging checkpoints for %v: there are none, want one at least", whole)
	}
	fail := func(format string, args ...any) error {
		return fmt.Errorf("merging %d checkpoints of operator %q for %v: %w", len(pieces), pieces[0].Operator, whole, fmt.Errorf(format, args...))
	}
	if err := partition.CheckTiling(whole, rangesOf(pieces)); err != nil {
		return nil, fail("%w", err)
	}
	if err := pieces[0].checkMergeable(); err != nil {
		return nil, fail("that of %v: %w", pieces[0].Range, err)
	}
	merged := *pieces[0]
	merged.Range = whole
	for _, p := range pieces[1:] {
		if err := p.fits(&merged); err != nil {
			return nil, fail("that of %v: %w", p.Range, err)
		}
		merged.join(p)
	}
	if len(pieces) == 1 {
		return &merged, nil
	}
	if err := merged.mergeLogs(pieces); err != nil {
		return nil, fail("%w", err)
	}
	merged.Tables = make([][]byte, len(merged.Tables))
	for t := range merged.Tables {
		var err error
		if merged.Tables[t], err = mergeTable(pieces, t); err != nil {
			return nil, fail("table %d: %w", t, err)
		}
	}
	return &merged, nil
}

func rangesOf(pieces []*Checkpoint) []partition.Range {
	ranges := make([]partition.Range, len(pieces))
	for i, p := range pieces {
		ranges[i] = p.Range
	}
	return ranges
}

// checkMergeable says why a checkpoint cannot be merged with any.
func (c *Checkpoint) checkMergeable() error {
	if c.Kind != state.Base {
		return fmt.Errorf("it is a %v, must be folded to a base", c.Kind)
	}
	return nil
}

// fits says why a checkpoint cannot be merged with another.
func (c *Checkpoint) fits(to *Checkpoint) error {
	switch {
	case c.Operator != to.Operator:
		return fmt.Errorf("it is of operator %q", c.Operator)
	case c.Position != to.Position:
		return fmt.Errorf("it is at %v, must be at %v as those before", c.Position, to.Position)
	case len(c.Tables) != len(to.Tables):
		return fmt.Errorf("it has %d tables, must have %d as those before", len(c.Tables), len(to.Tables))
	case len(c.Mark) > 0 && len(to.Mark) > 0:
		return fmt.Errorf("it has a mark of %d bytes, and one before it has another: what sinks have committed cannot be merged", len(c.Mark))
	}
	return c.checkMergeable()
}

// join adds everything but the tables of a checkpoint that fits.
func (c *Checkpoint) join(p *Checkpoint) {
	c.Generation = max(c.Generation, p.Generation)
	c.Splits = append(c.Splits[:len(c.Splits):len(c.Splits)], p.Splits...)
	if len(p.Mark) > 0 {
		c.Mark = p.Mark
	}
	if c.Ending = c.Ending && p.Ending; c.Ending {
		c.EndOf = max(c.EndOf, p.EndOf)
	} else {
		c.EndOf = 0
	}
}

// log is the one of a name; if there is none it is of a consumer that has come since, and wants nothing below the position, or
// that has gone.
func (c *Checkpoint) log(name LogName) LogImage {
	for _, l := range c.Logs {
		if l.LogName == name {
			return l
		}
	}
	return LogImage{LogName: name, Trim: c.Position, Frontier: c.Position}
}

// mergeLogs puts the logs of the pieces together, name by name.
func (c *Checkpoint) mergeLogs(pieces []*Checkpoint) error {
	var names []LogName
	for _, p := range pieces {
		for _, l := range p.Logs {
			names = append(names, l.LogName)
		}
	}
	slices.SortFunc(names, LogName.Compare)
	names = slices.Compact(names)
	logs := make([]LogImage, len(names))
	for i, name := range names {
		images := make([]LogImage, len(pieces))
		for n, p := range pieces {
			images[n] = p.log(name)
		}
		var err error
		if logs[i], err = mergeLog(images); err != nil {
			return fmt.Errorf("log %d: %w", i, err)
		}
	}
	c.Logs = logs
	return nil
}

// mergeLog puts images of logs of one name together: what is at or beyond all their trim points.
func mergeLog(images []LogImage) (LogImage, error) {
	merged, full := images[0], []LogImage(nil)
	for _, l := range images {
		merged.Trim, merged.Frontier = max(merged.Trim, l.Trim), min(merged.Frontier, l.Frontier)
		if len(l.Frames) > 0 {
			full = append(full, l)
		}
	}
	merged.Frames = nil
	switch len(full) {
	case 0:
		return merged, nil
	case 1:
		merged.Frames = full[0].Frames
		return merged, nil
	}
	h, err := wire.ParseHeader(full[0].Frames, wire.Limits{})
	if err != nil {
		return merged, err
	}
	pool := slab.New(slab.Config{})
	cfg := buffers.Config{Stream: h.Stream, PayloadSize: int(h.PayloadSize), Pool: pool, Owner: "merge"}
	var logs []*buffers.Log
	for _, l := range full {
		log, err := buffers.New(cfg)
		if err == nil {
			logs = append(logs, log)
			err = log.Load(l.Trim, l.Frontier, l.Frames)
		}
		if err != nil {
			return merged, errors.Join(err, closeLogs(logs, pool))
		}
	}
	whole, err := buffers.Merge(logs, cfg)
	if err != nil {
		return merged, errors.Join(err, closeLogs(logs, pool))
	}
	for f, e := range whole.Frames(merged.Trim) {
		merged.Frames = append(merged.Frames, f.Data...)
		err = errors.Join(err, e)
	}
	return merged, errors.Join(err, closeLogs(append(logs, whole), pool))
}

func closeLogs(logs []*buffers.Log, pool *slab.Pool) error {
	var errs []error
	for _, l := range logs {
		errs = append(errs, l.Close())
	}
	return errors.Join(append(errs, pool.Close())...)
}

func mergeTable(pieces []*Checkpoint, t int) ([]byte, error) {
	images, size := make([][]byte, len(pieces)), 0
	for i, p := range pieces {
		images[i] = p.Tables[t]
		size += len(images[i])
	}
	var b bytes.Buffer
	b.Grow(size)
	_, err := state.MergeImages(&b, images...)
	return b.Bytes(), err
}

// Repartition makes of an operator's checkpoints, which Merge could merge, those of tasks with other ranges, which must tile the
// same hashes: pieces are cut where a range ends, and put together for each range. Where ranges stay as they are, so do the
// checkpoints.
//
// Output is, as Split has it, in the first of the pieces of each checkpoint. Splits are all in the first of the results: what they depend on is for the caller to know, who spreads them anew. Marks of
// sinks stay where ranges do; elsewhere Split and Merge refuse to cut them or to merge several.
func Repartition(pieces []*Checkpoint, ranges []partition.Range) ([]*Checkpoint, error) {
	if len(pieces) == 0 || len(ranges) == 0 {
		return nil, fmt.Errorf("%d checkpoints for %d ranges, want one of each at least", len(pieces), len(ranges))
	}
	whole := partition.Range{First: ranges[0].First, Last: ranges[len(ranges)-1].Last}
	if err := partition.CheckTiling(whole, ranges); err != nil {
		return nil, fmt.Errorf("new ranges of operator %q: %w", pieces[0].Operator, err)
	}
	var parts []*Checkpoint
	var splits []SplitState
	for _, p := range pieces {
		rest := *p
		splits, rest.Splits = append(splits, p.Splits...), nil
		cut, err := rest.Split(within(p.Range, ranges))
		if err != nil {
			return nil, err
		}
		parts = append(parts, cut...)
	}
	out := make([]*Checkpoint, len(ranges))
	for i, r := range ranges {
		n := 0
		for n < len(parts) && r.Covers(parts[n].Range) {
			n++
		}
		var err error
		if out[i], err = Merge(parts[:n], r); err != nil {
			return nil, err
		}
		parts = parts[n:]
	}
	out[0].Splits = splits
	return out, nil
}

// within cuts a range where others begin.
func within(whole partition.Range, ranges []partition.Range) []partition.Range {
	var parts []partition.Range
	for _, r := range ranges {
		if part, ok := whole.Intersect(r); ok {
			parts = append(parts, part)
		}
	}
	return parts
}
