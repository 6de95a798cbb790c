package ft_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/fullspate/spate/ft"
	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire"
)

func Example() {
	path, err := os.MkdirTemp("", "checkpoints")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(path)
	dir, err := ft.OpenDir(ft.DirConfig{Path: path, Graph: 0x5eed})
	if err != nil {
		log.Fatal(err)
	}
	defer dir.Close()

	ctx := context.Background()
	for gen := range uint64(3) {
		c := &ft.Checkpoint{Operator: "toll", Range: partition.Full(), Generation: gen + 1, Position: wire.At(gen*5000, 0, 1)}
		if err := dir.Put(ctx, c.Task(), c.Generation, c.Follows, c.Append(nil)); err != nil {
			log.Fatal(err)
		}
	}
	tasks, err := dir.Tasks(ctx)
	if err != nil {
		log.Fatal(err)
	}
	infos, err := dir.Generations(ctx, tasks[0])
	if err != nil {
		log.Fatal(err)
	}
	newest, err := dir.Get(ctx, tasks[0], infos[0].Generation)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(tasks[0], len(infos), newest.Position.Millis())
	// Output: toll[0000000000000000-ffffffffffffffff] 2 10000
}
