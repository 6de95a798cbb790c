package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/fullspate/spate/engine/deploy"
	"github.com/fullspate/spate/engine/graph"
	wirelink "github.com/fullspate/spate/engine/link"
	"github.com/fullspate/spate/engine/task"
	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// world is all that a run consists of.
type world struct {
	cfg    Config
	nature nature
	rand   *rand.Rand
	pool   *slab.Pool
	plan   *graph.Plan
	dep    *deploy.Deployment
	nodes  []*node // by unit and index
	first  []int   // of a unit's nodes
	links  []*link
	net    *network // nil where all tasks are in one process
	rooms  [][]byte
	rec    *recorder
	now    time.Duration
	moves  uint64 // how often anything moved
	report Report
}

// node is a task and what its driver knows of it.
type node struct {
	t        *deploy.Task
	last     wire.Time // position after the last turn
	down     bool      // it is lost and has not come back
	done     bool
	idle     bool // its last turn found nothing to do
	held     bool
	freeze   *task.Freeze
	taken    *ft.Checkpoint // encoded, not yet durable
	durable  *ft.Checkpoint
	deltas   [][][]byte // by table: what is to be folded into the durable checkpoint's
	asked    bool       // for a checkpoint, by a log that feeds it
	trimming bool       // the logs that feed it have not heard of the durable checkpoint
	in       []*link
	worker   int              // that it is on
	remote   []*wirelink.Feed // channels from other workers
}

// nature is what a seed decides on at the beginning: the world that the run takes place in.
type nature struct {
	frameBytes, logBytes int
	trimOnAck, spill     bool
	noFuse               bool
	pace                 float64
	budget, chunk        int // most tuples of a turn, most messages of a delivery
	idle                 int // in a hundred reads of a source: those that find nothing
	crashes              int // that may happen
	weights              [actions]int
	parallelism          map[string]int
	workers              int // 0: all tasks are in one process
	window               int // bytes that a channel between workers may hold
}

func pick(r *rand.Rand, from ...int) int { return from[r.IntN(len(from))] }

func (c Config) nature(r *rand.Rand, g *graph.Graph) nature {
	n := nature{
		frameBytes: pick(r, 256, 256, 384, 512, 1024), logBytes: pick(r, 1<<10, 4<<10, 8<<10, 16<<10, 64<<10),
		noFuse: r.IntN(3) == 0, budget: pick(r, 3, 7, 20, 20, 60), chunk: pick(r, 2, 4, 16, 16),
		idle: pick(r, 0, 0, 10, 50), pace: float64(pick(r, 0, 0, 20, 100)), parallelism: map[string]int{},
	}
	n.trimOnAck = r.IntN(8) == 0
	n.spill = c.SpillDir != "" && r.IntN(16) == 0
	n.weights = [actions]int{turn: pick(r, 20, 60, 100), carry: pick(r, 30, 60, 100)}
	if !n.trimOnAck {
		n.weights[checkpointing] = pick(r, 2, 4, 8)
		if !c.NoCrash {
			n.crashes = pick(r, 0, 3, 10, 30)
			n.weights[crash] = 1
		}
	}
	if !c.NoNetwork && r.IntN(3) == 0 {
		n.overNetwork(r)
	}
	if !c.NoAmnesia {
		n.weights[amnesia] = pick(r, 0, 1, 3)
	}
	n.weights[hold] = pick(r, 0, 0, 1)
	for _, op := range g.Operators {
		if r.IntN(8) > 0 && !(c.RealSinks && op.Kind == task.Sink) {
			n.parallelism[op.ID] = 1 + r.IntN(c.ParallelismMax)
		}
	}
	return n
}

// overNetwork spreads the tasks over workers. There, consumption trims logs.
func (n *nature) overNetwork(r *rand.Rand) {
	n.workers, n.window = pick(r, 2, 2, 3, 4), pick(r, 1, 1<<10, 4<<10, 64<<10)
	n.trimOnAck, n.spill, n.crashes = true, false, 0
	n.weights[checkpointing], n.weights[crash] = 0, 0
	n.weights[transfer] = pick(r, 30, 60, 200)
}

func (n *nature) String() string {
	trim := "checkpoints"
	if n.trimOnAck {
		trim = "consumption"
	}
	where := "in one process"
	if n.workers > 0 {
		where = fmt.Sprintf("on %d workers with windows of %d bytes", n.workers, n.window)
	}
	return where + fmt.Sprintf(", frames of %d bytes, logs of %d, trimmed by %s, spill %v, pace %v, fusing %v, turns of %d, deliveries of %d, parallelism %v",
		n.frameBytes, n.logBytes, trim, n.spill, n.pace, !n.noFuse, n.budget, n.chunk, n.parallelism)
}

// newWorld deploys a graph.
func newWorld(g *graph.Graph, cfg Config) (w *world, err error) {
	w = &world{cfg: cfg, rand: rand.New(rand.NewPCG(cfg.Seed, 0x73706174)), pool: cfg.Pool}
	w.nature = cfg.nature(w.rand, g)
	w.report.Seed, w.report.Nature, w.report.Workers = cfg.Seed, w.nature.String(), w.nature.workers
	w.rec = record(g, cfg.RealSinks)
	interrupt(g, func() bool { return w.rand.IntN(100) < w.nature.idle })
	w.plan, err = graph.NewPlan(g, graph.PlanConfig{Parallelism: w.nature.parallelism, Default: 1, NoFuse: w.nature.noFuse})
	if err != nil {
		return nil, err
	}
	dc := deploy.Config{
		Pool: w.pool, Clock: task.Clock{Pace: w.nature.pace}, LogBytes: int64(w.nature.logBytes),
		FrameBytes: w.nature.frameBytes, TrimOnAck: w.nature.trimOnAck, Feed: w.feed,
	}
	if w.nature.spill {
		dc.SpillDir = cfg.SpillDir
	}
	n := 0
	for _, u := range w.plan.Units {
		w.first = append(w.first, n)
		n += u.Tasks
		for range u.Tasks {
			w.nodes = append(w.nodes, &node{})
		}
	}
	if w.nature.workers > 0 {
		w.net = &network{w: w, cuts: pick(w.rand, 0, 2, 10, 40)}
		for _, n := range w.nodes {
			n.worker = w.rand.IntN(w.nature.workers)
		}
	}
	if w.dep, err = deploy.New(w.plan, dc); err != nil {
		return nil, err
	}
	w.dep.Tasks(func(t *deploy.Task) { w.node(t).t = t })
	for _, n := range w.nodes {
		if n.durable, err = n.t.Checkpoint(); err != nil {
			return nil, errors.Join(fmt.Errorf("the first checkpoint of %v: %w", n, err), w.close())
		}
		n.deltas = make([][][]byte, len(n.durable.Tables))
	}
	return w, nil
}

func (w *world) node(t *deploy.Task) *node { return w.nodes[w.first[t.Unit]+t.Index] }

// busy says that the node has a checkpoint to go on with.
func (n *node) busy() bool {
	return !n.down && (n.freeze != nil || n.taken != nil || n.trimming || n.asked)
}

// String names the task.
func (n *node) String() string { return fmt.Sprintf("%s/%d", n.t.Operator(), n.t.Index) }

// close gives everything back.
func (w *world) close() error {
	for _, n := range w.nodes {
		if n.freeze != nil {
			n.freeze.Abort()
		}
	}
	for _, l := range w.links {
		if l.cursor != nil {
			l.cursor.Close()
		}
	}
	if w.net != nil {
		w.net.close()
	}
	return w.dep.Close()
}

// interrupt makes sources find nothing where idle says so.
func interrupt(g *graph.Graph, idle func() bool) {
	for _, op := range g.Operators {
		if op.Kind != task.Source {
			continue
		}
		spec := *op.Reading
		open := spec.Open
		spec.Open = func(s task.Split, at task.Offset) (task.SplitReader, error) {
			r, err := open(s, at)
			if err != nil {
				return nil, err
			}
			return &idler{SplitReader: r, idle: idle}, nil
		}
		op.Reading = &spec
	}
}

// idler is a reader that has nothing now and then.
type idler struct {
	task.SplitReader
	idle func() bool
}

func (r *idler) Read() (task.Block, error) {
	if r.idle() {
		return task.Block{}, nil
	}
	return r.SplitReader.Read()
}
