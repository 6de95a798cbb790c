package wire_test

import (
	"fmt"
	"unsafe"

	"github.com/fullspate/spate/wire"
)

// Reading is a payload: its bytes in memory are its bytes in the frame.
type Reading struct {
	Sensor  uint32
	Celsius float32
}

func Example() {
	codec := wire.MustFixed[Reading]()
	frame := make([]byte, wire.FrameHeader+2*(wire.TupleHeader+codec.Size()))
	h := wire.Header{Kind: wire.Data, Stream: 1, Count: 2, PayloadSize: uint32(codec.Size()),
		Bytes: uint32(len(frame) - wire.FrameHeader), Frontier: wire.TimerTime(1001)}
	h.First = wire.At(1000, 3, 1)
	h.Last = h.First.Next()
	off := wire.FrameHeader
	for i, t := range []wire.Time{h.First, h.Last} {
		wire.PutTuple(unsafe.Pointer(&frame[off]), t, uint64(i))
		*wire.Payload[Reading](frame, off+wire.TupleHeader) = Reading{Sensor: 7, Celsius: 20 + float32(i)}
		off += wire.TupleHeader + codec.Size()
	}
	wire.Seal(frame, h)

	if err := wire.Verify(frame); err != nil {
		fmt.Println(err)
		return
	}
	for t := wire.View(frame); t.Valid(); t.Advance() {
		fmt.Println(t.Time(), *wire.As[Reading](&t))
	}
	// Output:
	// 1.000s/3#1 {7 20}
	// 1.000s/3#2 {7 21}
}
