package slab_test

import (
	"errors"
	"fmt"

	"github.com/fullspate/spate/wire/slab"
)

func Example() {
	pool := slab.New(slab.Config{Budget: 1 << 20})
	owner := pool.Owner("tolls/vehicles")

	s, err := pool.GetZeroed(70_000, owner)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Size(), "bytes")

	_, err = pool.Get(1<<20, owner)
	var over *slab.BudgetError
	fmt.Println(errors.As(err, &over), err)

	pool.Put(s)
	fmt.Println(pool.Close())
	// Output:
	// 81920 bytes
	// true memory budget exceeded: tolls/vehicles wants 1048576 bytes, 81920 of 1048576 are in use
	// <nil>
}
