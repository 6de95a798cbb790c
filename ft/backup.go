package ft

import "fmt"

// Backup is what a holder keeps in memory of one task: checkpoints, as they were encoded. One goroutine owns it.
type Backup struct {
	index   index
	encoded map[uint64][]byte
	bytes   int64
}

// NewBackup makes an empty one that keeps the newest keep checkpoints, at least 1, and whatever they build upon.
func NewBackup(task TaskID, keep int) *Backup {
	return &Backup{index: index{task: task, keep: max(keep, 1)}, encoded: make(map[uint64][]byte)}
}

// Put takes an encoded checkpoint; see Store.
func (b *Backup) Put(gen, follows uint64, encoded []byte) error {
	info, err := parse(b.index.task, gen, follows, encoded)
	if err != nil {
		return err
	}
	return b.put(info, encoded, always)
}

func (b *Backup) put(info Info, encoded []byte, fits func(more int64) error) error {
	if here, err := b.index.admit(info); err != nil || here {
		return err
	}
	return b.add(info, encoded, fits)
}

// parse reads a checkpoint that is to be put, and sees whether it is what it is said to be.
func parse(task TaskID, gen, follows uint64, encoded []byte) (Info, error) {
	_, info, err := decode(encoded)
	switch {
	case err != nil:
		return info, fmt.Errorf("checkpoint %d of %v: %w", gen, task, err)
	case info.Task != task || info.Generation != gen || info.Follows != follows:
		return info, fmt.Errorf("checkpoint %d of %v, which follows %d, says itself that it is checkpoint %d of %v and follows %d",
			gen, task, follows, info.Generation, info.Task, info.Follows)
	}
	return info, nil
}

// add puts a checkpoint in and forgets what is not needed any more, unless fits says that the bytes that this makes more (or
// fewer) are too many.
func (b *Backup) add(info Info, encoded []byte, fits func(more int64) error) error {
	next := b.index.clone()
	needless := next.add(info)
	more := int64(len(encoded)) - int64(len(b.encoded[info.Generation]))
	for _, i := range needless {
		more -= int64(len(b.encoded[i.Generation]))
	}
	if err := fits(more); err != nil {
		return err
	}
	b.index, b.bytes = next, b.bytes+more
	b.encoded[info.Generation] = encoded
	for _, i := range needless {
		delete(b.encoded, i.Generation)
	}
	return nil
}

// discard forgets a checkpoint and what builds on it, and returns how many bytes that were.
func (b *Backup) discard(gen uint64) (freed int64) {
	for _, i := range b.index.remove(gen) {
		freed += int64(len(b.encoded[i.Generation]))
		delete(b.encoded, i.Generation)
	}
	b.bytes -= freed
	return freed
}

func always(int64) error { return nil }

// Generations tells what can be restored, newest first.
func (b *Backup) Generations() []Info { return b.index.newestFirst() }

// Newest returns the newest checkpoint, folded, and its generation. The error is ErrNotFound if there is none, or a
// *state.ImageError.
func (b *Backup) Newest() (*Checkpoint, uint64, error) {
	gen := b.index.newest()
	c, err := b.Get(gen)
	return c, gen, err
}

// Get returns a checkpoint, folded. It may share memory with the backup and must not be changed. The error is ErrNotFound, a
// *FormatError, or a *state.ImageError.
func (b *Backup) Get(gen uint64) (*Checkpoint, error) {
	line := b.index.line(gen)
	if len(line) == 0 {
		return nil, fmt.Errorf("checkpoint %d of %v: %w", gen, b.index.task, ErrNotFound)
	}
	return foldEncoded(b.read(line))
}

func (b *Backup) read(line []Info) (encoded [][]byte) {
	for _, i := range line {
		encoded = append(encoded, b.encoded[i.Generation])
	}
	return encoded
}

// FoldDue says whether Fold would pay: 8 deltas or more, or deltas of more than half of their base's bytes.
func (b *Backup) FoldDue() bool { return b.index.foldDue() }

// Fold makes a base of the newest checkpoint and forgets what that no longer needs. Its time is that of reading and writing
// the tables once, whatever has changed of them: it is not for an event loop.
func (b *Backup) Fold() error {
	line := b.newestLine()
	if len(line) < 2 {
		return nil
	}
	c, err := foldEncoded(line)
	if err != nil {
		return err
	}
	return b.replace(c.Append(nil), always)
}

// newestLine is what the newest checkpoint is restored from.
func (b *Backup) newestLine() [][]byte { return b.read(b.index.line(b.index.newest())) }

// replace puts a folded checkpoint in the place of itself, if it is still there.
func (b *Backup) replace(encoded []byte, fits func(more int64) error) error {
	info, err := DecodeInfo(encoded)
	if err != nil {
		return err
	}
	if old, ok := b.index.get(info.Generation); ok && old.Position == info.Position {
		return b.add(info, encoded, fits)
	}
	return nil
}

// Bytes is what the backup occupies.
func (b *Backup) Bytes() int64 { return b.bytes }
