package bench

import (
	"slices"

	"github.com/fullspate/spate/bench/linearroad"
	"github.com/fullspate/spate/bench/network"
	"github.com/fullspate/spate/bench/recovery"
	"github.com/fullspate/spate/bench/topk"
	"github.com/fullspate/spate/bench/wordcount"
	"github.com/fullspate/spate/engine"
)

// Programs returns all programs of the benchmarks, each with a name of its own.
func Programs() []engine.Program {
	return slices.Concat(linearroad.Programs(), wordcount.Programs(), topk.Programs(), network.Programs(), recovery.Programs())
}
