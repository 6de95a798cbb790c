package buffers

import (
	"sync"

	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
)

// item is a tuple of the baseline.
type item struct {
	time wire.Time
	hash uint64
	report
}

// itemsBatch fills 64 KiB, as a frame.
const itemsBatch = (64 << 10) / 56

// channelLoop is a loop on Go channels of slices.
type channelLoop struct {
	merger
	made  uint64
	self  uint64
	outs  [2]chan []item
	backs [2]chan []item
	open  [2][]item
	ins   [2]channelInput
}

type channelInput struct {
	in, back chan []item
	batch    []item
	pos      int
}

func newChannelLoops() [2]turner {
	loops := [2]*channelLoop{{self: 0}, {self: 1}}
	for i := range loops {
		for j := range loops {
			ch, back := make(chan []item, 16), make(chan []item, 18)
			for range 18 {
				back <- make([]item, 0, itemsBatch)
			}
			loops[i].outs[j], loops[i].backs[j] = ch, back
			loops[j].ins[i] = channelInput{in: ch, back: back}
		}
	}
	return [2]turner{loops[0], loops[1]}
}

// turn of the baseline: a half of the loop each in a goroutine of its own.
func (l *channelLoop) turn() bool {
	var wg sync.WaitGroup
	wg.Go(l.makeAll)
	l.mergeAll()
	wg.Wait()
	return true
}

func (l *channelLoop) makeAll() {
	for j := range l.open {
		l.open[j] = (<-l.backs[j])[:0]
	}
	for ; l.made < handoverTuples; l.made++ {
		n := l.made*2 + l.self
		hash := partition.HashUint64(n)
		j := hash >> 63
		k := len(l.open[j])
		l.open[j] = l.open[j][:k+1]
		it := &l.open[j][k]
		it.time, it.hash = wire.Time(n), hash
		it.set(n)
		if k+1 == itemsBatch {
			l.outs[j] <- l.open[j]
			l.open[j] = (<-l.backs[j])[:0]
		}
	}
	for j := range l.outs {
		l.outs[j] <- l.open[j]
		close(l.outs[j])
	}
}

func (in *channelInput) refill() wire.Time {
	for in.pos == len(in.batch) {
		if in.batch != nil {
			select {
			case in.back <- in.batch:
			default:
			}
		}
		in.batch, in.pos = <-in.in, 0
		if in.batch == nil {
			return wire.TimeMax
		}
	}
	return in.batch[in.pos].time
}

func (l *channelLoop) mergeAll() {
	for {
		a, b := &l.ins[0], &l.ins[1]
		x, y := a.refill(), b.refill()
		if y < x {
			a, x, y = b, y, x
		}
		if x == wire.TimeMax {
			return
		}
		for ; a.pos < len(a.batch) && a.batch[a.pos].time <= y; a.pos++ {
			it := &a.batch[a.pos]
			if it.time < l.last {
				panic("out of order")
			}
			l.last = it.time
			l.sum += it.sum()
			l.tuples++
		}
	}
}
