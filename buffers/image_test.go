package buffers

import (
	"bytes"
	"errors"
	"testing"

	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// imageOf makes a log of small frames and returns its image.
func imageOf(tb testing.TB, payloadSize int) []byte {
	l := newLog(tb, Config{Stream: 7, Pool: newPool(tb), PayloadSize: payloadSize, FrameBytes: 256, ChunkBytes: 4096})
	fill(l, 10, 30)
	_, image := contents(tb, l, 0)
	return image
}

func TestLoad(t *testing.T) {
	image := imageOf(t, 16)
	first := wire.HeaderOf(image).FrameSize()
	control := make([]byte, wire.FrameHeader)
	wire.Seal(control, wire.Header{Kind: wire.Frontier, Stream: 7})
	for name, c := range map[string]struct {
		image  []byte
		stream wire.StreamID
		size   int
		offset int // of the error; -1 is none
	}{
		"whole":         {image, 7, 16, -1},
		"empty":         {nil, 7, 16, -1},
		"cut in header": {image[:first+10], 7, 16, first},
		"cut in frame":  {image[:first+100], 7, 16, first},
		"cut at frame":  {image[:first], 7, 16, -1},
		"other stream":  {image, 8, 16, 0},
		"other size":    {image, 7, 24, 0},
		"variable":      {image, 7, 0, 0},
		"twice":         {append(bytes.Clone(image), image...), 7, 16, len(image)},
		"control frame": {append(bytes.Clone(image), control...), 7, 16, len(image)},
		"noise":         {append(bytes.Clone(image), 1, 2, 3), 7, 16, len(image)},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLog(t, Config{Stream: c.stream, Pool: newPool(t), PayloadSize: c.size})
			err := l.Load(12, 25, c.image)
			var e *LoadError
			switch {
			case c.offset < 0 && err != nil:
				t.Error(err)
			case c.offset >= 0 && (!errors.As(err, &e) || e.Offset != c.offset):
				t.Errorf("error %v, want one at offset %d", err, c.offset)
			case c.offset >= 0 && (l.Bytes() != 0 || l.TrimPoint() != 0 || len(l.queue.chunks) != 1):
				t.Error("something is left of a bad image")
			case c.offset < 0 && (l.TrimPoint() != 12 || l.Frontier() != 25):
				t.Errorf("trim point %v, frontier %v", l.TrimPoint(), l.Frontier())
			}
			if err == nil && len(c.image) == len(image) {
				got, _ := contents(t, l, 12)
				if len(got) != 26 || got[0].time != 12 {
					t.Errorf("%d tuples: %v", len(got), got)
				}
				fill(l, 25, 3) // and it goes on
			}
		})
	}
	for i := range image { // every bit that is wrong is found
		bad := bytes.Clone(image)
		bad[i] ^= 1 << (i % 8)
		l := newLog(t, Config{Stream: 7, Pool: newPool(t), PayloadSize: 16})
		var e *LoadError
		if err := l.Load(0, 0, bad); !errors.As(err, &e) {
			t.Errorf("byte %d spoiled: %v", i, err)
		}
	}
}

// TestFramesStop leaves the walk early and asks for what is trimmed.
func TestFramesStop(t *testing.T) {
	l := newLog(t, Config{Pool: newPool(t), PayloadSize: 16, FrameBytes: 256, ChunkBytes: 4096})
	fill(l, 10, 30)
	for range l.Frames(0) {
		break
	}
	if len(l.cursors) != 0 {
		t.Error("a walk left its cursor open")
	}
	l.Trim(12)
	var e *TrimmedError
	for _, err := range l.Frames(11) {
		if !errors.As(err, &e) || e.From != 11 || e.Trim != 12 {
			t.Errorf("error %v", err)
		}
	}
	if e == nil {
		t.Error("no error")
	}
}

func FuzzLoad(f *testing.F) {
	for _, size := range []int{0, 16} {
		image := imageOf(f, size)
		f.Add(image, uint16(size), false)
		f.Add(image[:100], uint16(size), true)
	}
	f.Fuzz(func(t *testing.T, image []byte, size uint16, seal bool) {
		if seal { // past the checksum
			reseal(image)
		}
		pool := slab.New(slab.Config{Budget: 32 << 20})
		defer func() {
			if err := pool.Close(); err != nil {
				t.Error(err)
			}
		}()
		l := newLog(t, Config{Stream: 7, Pool: pool, PayloadSize: int(size &^ 7)})
		defer l.Close()
		if err := l.Load(0, 0, image); err != nil {
			var e *LoadError
			if !errors.As(err, &e) || e.Offset > len(image) || l.Bytes() != 0 {
				t.Errorf("error %v", err)
			}
			return
		}
		if _, again := contents(t, l, 0); !bytes.Equal(again, image) {
			t.Errorf("%d bytes came back as %d", len(image), len(again))
		}
	})
}

// reseal gives the frames of an image the checksum of what they have become, as
// far as their headers allow.
func reseal(image []byte) {
	for len(image) >= wire.FrameHeader {
		h := wire.HeaderOf(image)
		if h.FrameSize() > len(image) {
			return
		}
		if !sealed(image[:h.FrameSize()], h) {
			return
		}
		image = image[h.FrameSize():]
	}
}

// sealed seals unless the header contradicts itself.
func sealed(frame []byte, h wire.Header) (ok bool) {
	defer func() { ok = recover() == nil }()
	wire.Seal(frame, h)
	return true
}
