package state

import (
	"testing"

	"github.com/fullspate/spate/partition"
	"github.com/fullspate/spate/wire/slab"
)

// Values of tests and benchmarks.
type val32 struct{ A, B, C, D uint64 }

// benchMap is an empty map that ends with the benchmark.
func benchMap[V any](b testing.TB, key, sub KeyKind, expect int64) *Map {
	b.Helper()
	pool := slab.New(slab.Config{HugePages: true, Prefault: true})
	schema, err := SchemaOf[V]("bench", key, sub)
	if err != nil {
		b.Fatal(err)
	}
	m, err := New(Config{Schema: schema, Range: partition.Full(), Pool: pool, Expect: expect})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		m.Close()
		if err := pool.Close(); err != nil {
			b.Error(err)
		}
	})
	return m
}
