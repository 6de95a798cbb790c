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
	keep   int
	budget *Budget

	mu      sync.Mutex
	backups map[TaskID]*Backup
	folding map[TaskID]bool
	used    int64
}

// MemoryConfig says how much a Memory keeps.
type MemoryConfig struct {
	Keep   int   // newest checkpoints of each task that can be restored; 0: 1, as upstream logs begin where that is
	Budget int64 // bytes of encoded checkpoints; 0: without bound
	// Shared is a budget that others use too, instead of Budget; nil: none.
	Shared *Budget
}

// Validate reports every problem of the configuration.
func (c MemoryConfig) Validate() error {
	if c.Keep < 0 || c.Budget < 0 {
		return fmt.Errorf("a memory store that keeps %d checkpoints in %d bytes: want neither below 0", c.Keep, c.Budget)
	}
	if c.Budget > 0 && c.Shared != nil {
		return fmt.Errorf("a memory store with a budget of its own, of %d bytes, and a shared one: want one of them", c.Budget)
	}
	return nil
}

// NewMemory makes an empty one.
func NewMemory(cfg MemoryConfig) (*Memory, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	m := &Memory{keep: cfg.Keep, budget: cfg.Shared, backups: make(map[TaskID]*Backup), folding: make(map[TaskID]bool)}
	if m.budget == nil {
		m.budget = NewBudget(cfg.Budget)
	}
	return m, nil
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
		b = NewBackup(id, m.keep)
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
		if !m.budget.Take(more) {
			return &BudgetError{Task: info.Task, Bytes: info.Bytes, Used: m.budget.Used(), Budget: m.budget.Most()}
		}
		m.used += more
		return nil
	}
}

// freed gives bytes back to the budget.
func (m *Memory) freed(bytes int64) {
	m.used -= bytes
	m.budget.Take(-bytes)
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
	c, _, err := m.get(ctx, id, gen)
	return c, err
}

// Encoded returns what Get returns, encoded. It may share memory with the store and must not be changed.
func (m *Memory) Encoded(ctx context.Context, id TaskID, gen uint64) ([]byte, error) {
	c, encoded, err := m.get(ctx, id, gen)
	if err != nil || encoded != nil {
		return encoded, err
	}
	return c.Append(nil), nil
}

// get returns a checkpoint, and as it was put if it did not have to be folded.
func (m *Memory) get(ctx context.Context, id TaskID, gen uint64) (*Checkpoint, []byte, error) {
	m.mu.Lock()
	var line [][]byte
	if b := m.backups[id]; b != nil {
		line = b.read(b.index.line(gen))
	}
	m.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return nil, nil, ctx.Err()
	case len(line) == 0:
		return nil, nil, fmt.Errorf("checkpoint %d of %v: %w", gen, id, ErrNotFound)
	}
	c, err := foldEncoded(line)
	if err != nil {
		m.discard(id, gen)
		return nil, nil, err
	}
	if len(line) == 1 {
		return c, line[0], nil
	}
	return c, nil, nil
}

// discard forgets a checkpoint that is damaged.
func (m *Memory) discard(id TaskID, gen uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if b := m.backups[id]; b != nil {
		m.freed(b.discard(gen))
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
		m.freed(b.Bytes())
		delete(m.backups, id)
	}
	return ctx.Err()
}

// Bytes is what the store occupies.
func (m *Memory) Bytes() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used
}
