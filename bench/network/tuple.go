package network

import (
	"fmt"

	"github.com/fullspate/spate/engine"
)

// Tuple is what the source makes: 24 bytes, 40 with its τ and key hash.
type Tuple struct {
	Key    uint64 // 0…Keys−1
	Number uint64 // within its split, from 0; with the bit tell set, its key's count is to be told
	Check  uint64 // of the other two
}

// tell marks numbers of tuples at which a counter tells its count.
const tell = 1 << 63

// checkFactor is odd, so that any change of one of the two fields changes the check.
const checkFactor = 0xbf58476d1ce4e5b9

// sign sets the check.
func (t *Tuple) sign() { t.Check = t.Key*checkFactor ^ t.Number }

// sound says whether the tuple is as it was signed.
func (t *Tuple) sound() bool { return t.Check == t.Key*checkFactor^t.Number }

// key is the key that operators are keyed by.
func (t *Tuple) key() uint64 { return t.Key }

// verify ends the job if a tuple is not as it was made.
func verify(c *engine.Ctx, t *Tuple) {
	if !t.sound() {
		c.Fail(fmt.Errorf("the tuple %+v has been changed on its way", *t))
	}
}

// Counted is a tuple of a key of which there have been Nth.
type Counted struct {
	Tuple
	Nth uint64 // from 1
}

// Count is how many tuples of a key there have been.
type Count struct{ Key, Count uint64 }
