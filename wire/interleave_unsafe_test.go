package wire

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

// timesFrame returns a sealed frame with a tuple at each of the times: with
// payloads of so many bytes, or of a few bytes each if that is 0.
func timesFrame(times []Time, payload int) []byte {
	h := Header{Kind: Data, Count: uint32(len(times)), PayloadSize: uint32(payload), First: times[0], Last: times[len(times)-1]}
	stride := TupleHeader + payload
	if payload == 0 {
		stride = VarStride(3)
	}
	h.Bytes = uint32(stride * len(times))
	frame := aligned(h.FrameSize())
	for i, t := range times {
		p := unsafe.Pointer(&frame[FrameHeader+i*stride])
		if payload == 0 {
			copy(PutVarTuple(p, t, 0, 3), "abc")
		} else {
			PutTuple(p, t, 0)
		}
	}
	Seal(frame, h)
	return frame
}

// placesOf lists where the tuples of a walk are.
func placesOf(t Tuples, walk Place) (places []Place) {
	for ; t.Valid(); t.Advance() {
		places = append(places, Place(t.Offset())|walk)
	}
	return places
}

// mergeOf is the definition of what Interleave gives until one walk is at its
// end: all tuples sorted by time, without those after the first walk's last one.
func mergeOf(a, b Tuples) []Place {
	walks := [2]Tuples{a, b}
	time := func(p Place) Time { return TimeAt(walks[p.Walk()].PtrAt(p.Offset())) }
	first, second := placesOf(a, 0), placesOf(b, 1)
	if len(first) == 0 || len(second) == 0 {
		return nil
	}
	all := slices.Concat(first, second)
	slices.SortStableFunc(all, func(p, q Place) int { return cmp.Compare(time(p), time(q)) })
	end := min(slices.Index(all, first[len(first)-1]), slices.Index(all, second[len(second)-1]))
	return all[:end+1]
}

func TestInterleave(t *testing.T) {
	payloads := []int{0, 8, 40, 80}
	rapid.Check(t, func(t *rapid.T) {
		walk := func(name string) Tuples {
			times := rapid.SliceOfN(rapid.Map(rapid.Uint64Range(0, 60), func(x uint64) Time { return Time(x) }), 1, 60).Draw(t, name)
			slices.Sort(times)
			w := View(timesFrame(times, rapid.SampledFrom(payloads).Draw(t, name+" payload")))
			w.Seek(Time(rapid.Uint64Range(0, 70).Draw(t, name+" from")))
			return w
		}
		a, b := walk("a"), walk("b")
		want := mergeOf(a, b)
		restA, restB := a, b
		dst := make([]Place, rapid.IntRange(1, 70).Draw(t, "room"))
		var got []Place
		for n := Interleave(dst, &a, &b); n > 0; n = Interleave(dst, &a, &b) {
			got = append(got, dst[:n]...)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("places %v, want %v", got, want)
		}
		for _, p := range want {
			[2]*Tuples{&restA, &restB}[p.Walk()].Advance()
		}
		if a != restA || b != restB {
			t.Fatalf("walks stand at %d and %d, want %d and %d", a.Offset(), b.Offset(), restA.Offset(), restB.Offset())
		}
	})
}

// BenchmarkInterleave merges tuples of 56 bytes, each of which is on one side or
// the other by chance, and adds up their times; beside it, how a merge is done
// with a branch.
func BenchmarkInterleave(b *testing.B) {
	const tuples = 1 << 16
	var times [2][]Time
	sum := uint64(0)
	rng := rand.New(rand.NewPCG(1, 2))
	for t := range Time(tuples) {
		side := rng.IntN(2)
		times[side] = append(times[side], t)
		sum += uint64(t)
	}
	var frames [2][]byte
	for i := range frames {
		frames[i] = timesFrame(append(times[i], tuples+Time(i)), 40) // what comes last is merged on one side only
	}
	sum += tuples
	report := func(b *testing.B, got uint64) {
		if got != sum {
			b.Fatalf("sum of times %d, want %d", got, sum)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/tuples, "ns/tuple")
		b.ReportMetric(0, "ns/op")
	}
	for _, room := range []int{32, 256, 2048} {
		b.Run("places"+strconv.Itoa(room), func(b *testing.B) {
			got, dst := uint64(0), make([]Place, room)
			for b.Loop() {
				got = sumInterleaved(frames, dst)
			}
			report(b, got)
		})
	}
	b.Run("branch", func(b *testing.B) {
		got := uint64(0)
		for b.Loop() {
			got = sumBranching(frames)
		}
		report(b, got)
	})
}

func sumInterleaved(frames [2][]byte, dst []Place) (sum uint64) {
	x, y := View(frames[0]), View(frames[1])
	walks := [2]Tuples{x, y}
	for n := Interleave(dst, &x, &y); n > 0; n = Interleave(dst, &x, &y) {
		for _, p := range dst[:n] {
			sum += uint64(TimeAt(walks[p.Walk()].PtrAt(p.Offset())))
		}
	}
	return sum
}

func sumBranching(frames [2][]byte) (sum uint64) {
	x, y := View(frames[0]), View(frames[1])
	for x.Valid() && y.Valid() {
		if tx, ty := x.Time(), y.Time(); ty < tx {
			sum += uint64(ty)
			y.Advance()
		} else {
			sum += uint64(tx)
			x.Advance()
		}
	}
	return sum
}
