package ft

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
)

// Memory is a Store in the memory of this process: it outlives tasks but not the process.
type Memory struct {
	cfg MemoryConfig

	mu      sync.Mutex
	backups map[TaskID]*Backup
	folding map[TaskID]bool
	used    int64
}

// MemoryConfig says how much a Memory keeps.
type MemoryConfig struct {
	Keep   int   // newest checkpoints of each task that can be restored; 0: 1, as upstream logs begin where that is
	Budget int64 // bytes of encoded checkpoints; 0: without bound
}

// Validate reports every problem of the configuration.
func (c MemoryConfig) Validate() error {
	if c.Keep < 0 || c.Budget < 0 {
		return fmt.Errorf("a memory store that keeps %d checkpoints in %d bytes: want neither below 0", c.Keep, c.Budget)
	}
	return nil
}

// NewMemory makes an empty one.
func NewMemory(cfg MemoryConfig) (*Memory, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Memory{cfg: cfg, backups: make(map[TaskID]*Backup), folding: make(map[TaskID]bool)}, nil
}

var _ Store = (*Memory)(nil)

// Put implements Store.
func (m *Memory) Put(ctx context.Context, id TaskID, gen, follows uint64, encoded []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	info, err := parse(id, gen, follows, encoded)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.backups[id]
	if b == nil {
		b = NewBackup(id, m.cfg.Keep)
	}
	if err := b.put(info, encoded, m.fits(info)); err != nil {
		return err
	}
	m.backups[id] = b
	return nil
}

// fits returns what takes the bytes of a checkpoint from the budget, or says that they are not there.
func (m *Memory) fits(info Info) func(more int64) error {
	return func(more int64) error {
		if m.cfg.Budget > 0 && more > 0 && m.used+more > m.cfg.Budget {
			return &BudgetError{Task: info.Task, Bytes: info.Bytes, Used: m.used, Budget: m.cfg.Budget}
		}
		m.used += more
		return nil
	}
}

// Generations implements Store.
func (m *Memory) Generations(ctx context.Context, id TaskID) ([]Info, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if b := m.backups[id]; b != nil {
		return b.Generations(), ctx.Err()
	}
	return nil, ctx.Err()
}

// Get implements Store.
func (m *Memory) Get(ctx context.Context, id TaskID, gen uint64) (*Checkpoint, error) {
	m.mu.Lock()
	var line [][]byte
	if b := m.backups[id]; b != nil {
		line = b.read(b.index.line(gen))
	}
	m.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case len(line) == 0:
		return nil, fmt.Errorf("checkpoint %d of %v: %w", gen, id, ErrNotFound)
	}
	c, err := foldEncoded(line)
	if err != nil {
		m.discard(id, gen)
	}
	return c, err
}

// discard forgets a checkpoint that is damaged.
func (m *Memory) discard(id TaskID, gen uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if b := m.backups[id]; b != nil {
		m.used -= b.discard(gen)
	}
}

// Fold implements Store. A *BudgetError says that the base does not fit in beside what is kept.
func (m *Memory) Fold(ctx context.Context, id TaskID) error {
	line := m.beginFold(id)
	if line == nil {
		return ctx.Err()
	}
	defer m.endFold(id)
	if err := ctx.Err(); err != nil {
		return err
	}
	c, err := foldEncoded(line)
	if err != nil {
		return err
	}
	encoded := c.Append(nil)
	info, err := DecodeInfo(encoded)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if b := m.backups[id]; b != nil {
		return b.replace(encoded, m.fits(info))
	}
	return nil
}

// beginFold returns what is to be folded, nothing if that does not pay or somebody is at it.
func (m *Memory) beginFold(id TaskID) [][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.backups[id]
	if b == nil || m.folding[id] || !b.FoldDue() {
		return nil
	}
	m.folding[id] = true
	return b.newestLine()
}

func (m *Memory) endFold(id TaskID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.folding, id)
}

// Tasks implements Store.
func (m *Memory) Tasks(ctx context.Context) ([]TaskID, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return sortedTasks(m.backups), ctx.Err()
}

func sortedTasks[V any](tasks map[TaskID]V) []TaskID {
	ids := make([]TaskID, 0, len(tasks))
	for id := range tasks {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b TaskID) int {
		return cmp.Or(cmp.Compare(a.Operator, b.Operator), cmp.Compare(a.Range.First, b.Range.First), cmp.Compare(a.Range.Last, b.Range.Last))
	})
	return ids
}

// Drop implements Store.
func (m *Memory) Drop(ctx context.Context, id TaskID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if b := m.backups[id]; b != nil {
		m.used -= b.Bytes()
		delete(m.backups, id)
	}
	return ctx.Err()
}

// Bytes is what of the budget is used.
func (m *Memory) Bytes() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used
}
