package link_test

import (
	"encoding/binary"
	"fmt"

	"github.com/fullspate/spate/buffers"
	"github.com/fullspate/spate/engine/link"
	"github.com/fullspate/spate/engine/link/pipe"
	"github.com/fullspate/spate/wire/slab"
)

// Example takes three tuples from a log of one loop to a feed of another. Over a network the two halves of the loop below
// are in two processes, and Traffic is called when something has arrived.
func Example() {
	pool := slab.New(slab.Config{})
	log, err := buffers.New(buffers.Config{Stream: 1, PayloadSize: 8, Pool: pool, TrimOnAck: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	sender := link.New(link.Config{Pool: pool, Peer: "the receiver"})
	sender.Send(0, 0, log)
	receiver := link.New(link.Config{Pool: pool, Peer: "the sender"})
	feed := receiver.Receive(0, 0, link.ChannelSpec{Stream: 1, PayloadSize: 8})

	for t := range 3 {
		binary.LittleEndian.PutUint64(log.Append(100, uint64(t), 8), uint64(t))
	}
	log.End(101)

	conn := pipe.New()
	sender.Attach(conn.A)
	receiver.Attach(conn.B)
	for !sender.Done() || !receiver.Done() {
		for _, half := range []struct {
			l   *link.Link
			end *pipe.End
		}{{sender, conn.A}, {receiver, conn.B}} {
			if err := half.l.Traffic(); err != nil {
				fmt.Println(err)
			}
			if _, _, err := half.l.Flush(); err != nil {
				fmt.Println(err)
			}
			half.end.Deliver(half.end.Flight())
		}
		for f, ok := feed.Next(); ok; f, ok = feed.Next() {
			for t := f.View(); t.Valid(); t.Advance() {
				fmt.Println(uint64(t.Time()), binary.LittleEndian.Uint64(t.Bytes()))
			}
		}
		feed.Ack(feed.Poll())
	}

	sender.Close()
	receiver.Close()
	if err := log.Close(); err != nil {
		fmt.Println(err)
	}
	fmt.Println(pool.Close())
	// Output:
	// 100 0
	// 100 1
	// 100 2
	// <nil>
}
