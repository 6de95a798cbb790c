package state_test

import (
	"bytes"
	"fmt"
	"log"

	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/state"
	"github.com/fullspate/spate/wire"
	"github.com/fullspate/spate/wire/slab"
)

// Account is a value: a plain struct without pointers or padding.
type Account struct {
	Balance int64
	Charges uint32
	Day     uint32
}

func Example() {
	pool := slab.New(slab.Config{Budget: 64 << 20})
	schema, err := state.SchemaOf[Account]("accounts", state.Uint64, state.None)
	if err != nil {
		log.Fatal(err)
	}
	cfg := state.Config{Schema: schema, Range: partition.Full(), Pool: pool}
	m, err := state.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	accounts, err := state.NewFixed[Account](m)
	if err != nil {
		log.Fatal(err)
	}
	for vid := range uint64(1000) {
		a, existed := accounts.Upsert(partition.HashUint64(vid))
		if !existed {
			a.Day = 1
		}
		a.Balance += int64(vid)
	}

	snapshot, err := m.Freeze(state.Base, wire.At(5000, 0, 1))
	if err != nil {
		log.Fatal(err)
	}
	snapshot.Step(0, nil) // in slices between batches, where time matters
	var image bytes.Buffer
	if _, err := snapshot.Encode(&image, state.S2); err != nil {
		log.Fatal(err)
	}

	cfg.Range.Last = 1<<63 - 1 // half of the keys
	half, err := state.Restore(cfg, image.Bytes())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Len(), half.Checksum(cfg.Range) == m.Checksum(cfg.Range))

	m.Close()
	half.Close()
	if err := pool.Close(); err != nil {
		log.Fatal(err)
	}
	// Output: 1000 true
}
