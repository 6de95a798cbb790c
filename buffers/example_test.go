package buffers_test

import (
	"fmt"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

func Example() {
	pool := slab.New(slab.Config{})
	log, err := buffers.New(buffers.Config{Stream: 1, Pool: pool, Owner: "words"})
	if err != nil {
		panic(err)
	}
	reader, err := log.OpenCursor(0)
	if err != nil {
		panic(err)
	}

	// The writer emits two words at 10 ms and one at 20 ms, and promises
	// nothing below 21 ms.
	for i, word := range []string{"in", "full", "spate"} {
		t := wire.At(10*uint64(i/2+1), 0, 1)
		copy(log.Append(t, 0, len(word)), word)
	}
	log.Seal(wire.At(21, 0, 1))

	// The reader takes what is there.
	for f, ok := reader.Next(); ok; f, ok = reader.Next() {
		for t := f.View(); t.Valid(); t.Advance() {
			fmt.Printf("%v %s\n", t.Time(), t.Bytes())
		}
	}
	fmt.Println("frontier", reader.Frontier())
	reader.Ack(reader.Frontier())
	reader.Close()

	// Another one needs everything from 15 ms on.
	again, err := log.OpenCursor(wire.At(15, 0, 1))
	if err != nil {
		panic(err)
	}
	f, _ := again.Next()
	t := f.View()
	fmt.Printf("again %s\n", t.Bytes())
	again.Close()

	// Nobody needs anything below 21 ms any more.
	log.Trim(wire.At(21, 0, 1))
	fmt.Println(log.Bytes(), "bytes")
	if err := log.Close(); err != nil {
		panic(err)
	}
	if err := pool.Close(); err != nil {
		panic(err)
	}
	// Output:
	// 0.010s/0#1 in
	// 0.010s/0#1 full
	// 0.020s/0#1 spate
	// frontier 0.021s/0#1
	// again spate
	// 0 bytes
}
